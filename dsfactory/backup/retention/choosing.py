"""Keep rules: which backups each rule chooses. Nothing is removed here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dsfactory.backup.retention.buckets import BUCKETS, local_times
from dsfactory.backup.retention.verdicts import Verdict

if TYPE_CHECKING:
    from dsfactory.backup.retention.policy import RetentionPolicy

NO_RULES = "no keep rules"
"""Why a backup is chosen when no rule is set."""


class Rules:
    """The rules of one policy as they are applied, a bit each: reasons become texts when shown."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._texts: dict[int, tuple[str, ...]] = {}

    def bit(self, name: str) -> int:
        """Return the bit of the next rule."""
        self._names.append(name)
        return 1 << len(self._names) - 1

    def names(self, bits: int) -> tuple[str, ...]:
        """Return the names of the rules in *bits*, in the order in which they were applied."""
        found = self._texts.get(bits)
        if found is None:
            found = tuple(name for n, name in enumerate(self._names) if bits >> n & 1)
            self._texts[bits] = found
        return found


def choose(verdicts: Sequence[Verdict], policy: RetentionPolicy) -> Rules:
    """Note on each verdict, the newest first, which rules choose the backup; return the rules.

    Those dated in the future count nowhere: a clock that ran ahead would use up the rules. Nor do
    damaged ones where backups are counted: they must not stand for an older one that is good.
    """
    rules = Rules()
    present = [v for v in verdicts if not v.future]
    if not policy.has_rules:
        _note(present, rules.bit(NO_RULES))
        return rules
    _by_tags(present, policy.keep_tags, rules)
    sound = [v for v in present if v.sound]
    newest = (sound or present)[0].backup.created_at if present else 0
    if "last" in policy.spans:
        _note(_after(present, newest - policy.spans["last"]), rules.bit("within"))
    _by_calendar(sound, policy, newest, rules)
    return rules


def _note(verdicts: Iterable[Verdict], bit: int) -> None:
    for verdict in verdicts:
        verdict.rules |= bit


def _by_tags(verdicts: Sequence[Verdict], wanted: Sequence[Sequence[str]], rules: Rules) -> None:
    for tags in wanted:
        asked = set(tags)
        bit = rules.bit(f"tags {', '.join(tags)}" if asked != {""} else "no tags")
        _note((v for v in verdicts if asked.issubset(v.backup.tags or ("",))), bit)


def _by_calendar(
    sound: Sequence[Verdict], policy: RetentionPolicy, newest: int, rules: Rules
) -> None:
    local = local_times([v.backup.created_at for v in sound], policy.timezone)
    buckets = {name: BUCKETS[name](local) for name in {**policy.counts, **policy.spans}}
    for name, count in policy.counts.items():
        _pick(sound, buckets[name], count, (rules.bit(name), rules.bit(f"oldest {name}")))
    for name, span in policy.spans.items():
        if name == "last":
            continue
        reached = len(_after(sound, newest - span))
        bits = rules.bit(f"within {name}"), rules.bit(f"oldest within {name}")
        _pick(sound, buckets[name][:reached], -1, bits)


def _after(verdicts: Sequence[Verdict], start: int) -> Sequence[Verdict]:
    # Later than the start and not at it, as in restic.
    reached = next((n for n, v in enumerate(verdicts) if v.backup.created_at <= start), None)
    return verdicts[:reached]


def _pick(
    verdicts: Sequence[Verdict], buckets: Sequence[int], count: int, bits: tuple[int, int]
) -> None:
    """Note the first bit on the newest of each of *count* buckets, -1 being all.

    A count that is left over at the oldest of all keeps it, for the second bit: the history is as
    long as it can be.
    """
    newest_of_bucket, oldest_of_all = bits
    before: int | None = None
    for verdict, bucket in zip(verdicts, buckets, strict=False):
        if bucket != before:
            verdict.rules |= newest_of_bucket
            before = bucket
            count -= 1
            if not count:
                return
    if buckets and len(buckets) == len(verdicts) and not verdicts[-1].rules & newest_of_bucket:
        verdicts[-1].rules |= oldest_of_all
