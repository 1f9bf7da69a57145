"""Keep rules: which backups each rule chooses. Nothing is removed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dsfactory.backup.retention.buckets import BUCKETS, local_times
from dsfactory.backup.retention.verdicts import Verdict

if TYPE_CHECKING:
    from dsfactory.backup.retention.policy import RetentionPolicy

NO_RULES = "no keep rules"
"""Why a backup is chosen when no rule is set."""


def choose(verdicts: Sequence[Verdict], policy: RetentionPolicy) -> None:
    """Note on each verdict, the newest first, which rules choose the backup.

    Those dated in the future count nowhere: a clock that ran ahead would use up the rules. Nor do
    damaged ones where backups are counted: they must not stand for an older one that is good.
    """
    present = [v for v in verdicts if not v.future]
    if not policy.has_rules:
        for verdict in present:
            verdict.rules += (NO_RULES,)
        return
    _by_tags(present, policy.keep_tags)
    sound = [v for v in present if v.sound]
    newest = (sound or present)[0].backup.created_at if present else 0
    if "last" in policy.spans:
        for verdict in _after(present, newest - policy.spans["last"]):
            verdict.rules += ("within",)
    _by_calendar(sound, policy, newest)


def _by_tags(verdicts: Sequence[Verdict], wanted: Sequence[Sequence[str]]) -> None:
    for tags in wanted:
        asked = set(tags)
        named = f"tags {', '.join(tags)}" if asked != {""} else "no tags"
        for verdict in verdicts:
            if asked.issubset(verdict.backup.tags or ("",)):
                verdict.rules += (named,)


def _by_calendar(sound: Sequence[Verdict], policy: RetentionPolicy, newest: int) -> None:
    local = local_times([v.backup.created_at for v in sound], policy.timezone)
    for name, count in policy.counts.items():
        for position, extra in _picked(BUCKETS[name](local), count, len(sound)):
            sound[position].rules += (f"oldest {name}" if extra else name,)
    for name, span in policy.spans.items():
        if name == "last":
            continue
        reached = len(_after(sound, newest - span))
        for position, extra in _picked(BUCKETS[name](local[:reached]), -1, len(sound)):
            sound[position].rules += (f"oldest within {name}" if extra else f"within {name}",)


def _after(verdicts: Sequence[Verdict], start: int) -> Sequence[Verdict]:
    # Later than the start and not at it, as in restic.
    reached = next((n for n, v in enumerate(verdicts) if v.backup.created_at <= start), None)
    return verdicts[:reached]


def _picked(buckets: Sequence[int], count: int, total: int) -> Iterator[tuple[int, bool]]:
    """Yield the positions that a rule picks, and whether only for being the oldest of *total*.

    A count that is left over at the oldest backup keeps it: the history is as long as it can be.
    """
    before: int | None = None
    for position, bucket in enumerate(buckets):
        if count == 0:
            return
        if bucket != before or position == total - 1:
            yield position, bucket == before
            before = bucket
            count -= 1  # -1, no end, never comes to 0
