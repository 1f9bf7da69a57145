"""Bulk operations: many commands in their order, past failures and across restarts.

Two rows an operation, one with its commands and one that says how far it is, and a row for each
failure. The lease is part of the second, and begins anew with every command.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from dsfactory.errors import AbsentError, BusyError
from dsfactory.services.preferences.book import Book, error_of, key_of, quoted, unquoted
from dsfactory.services.preferences.records import (
    BulkExecutor,
    BulkFailure,
    BulkItem,
    BulkProgress,
)
from dsfactory.services.preferences.rules import checked_name, checked_text, refused

AREA = "bulk"
WORK = "bulk-work"
FAILED = "bulk-failed"

MAX_COMMANDS = 10_000
"""Of one operation: they are one row, read once a run."""

KEPT = "30d"
"""How long the result of a finished operation is kept."""


@dataclass(frozen=True, slots=True)
class Course:
    """The row that says how far an operation is."""

    name: str
    total: int
    started_at: int
    updated_at: int
    state: str = "waiting"
    done: int = 0
    failed: int = 0
    token: str | None = None
    leased_until: int = 0


class Bulks(Book):
    """Bulk operations by user."""

    _lease_ms: int

    def start_bulk(self, user: str, commands: Iterable[str], *, name: str = "bulk") -> BulkProgress:
        """Write down an operation of up to 10,000 *commands*; run_bulk() runs it."""
        prefix, name = key_of(AREA, user), checked_name("name", name)
        if isinstance(commands, str) or not isinstance(commands, Iterable):
            raise refused("commands", commands, "several texts")
        work = [checked_text(f"commands[{n}]", command) for n, command in enumerate(commands)]
        if not 1 <= len(work) <= MAX_COMMANDS:
            raise refused("commands", work, f"1 to {MAX_COMMANDS} texts")
        now = self._now()
        # In the order of their start when listed.
        id_ = f"{now:015d}-{secrets.token_hex(4)}"
        course = Course(name, len(work), now, now)
        self._store.set_many({key_of(WORK, user, id_): work, f"{prefix}{id_}": asdict(course)})
        return _progress(user, id_, course)

    def run_bulk(
        self,
        user: str,
        id: str,
        executor: BulkExecutor,
        *,
        progress: Callable[[BulkProgress], object] | None = None,
    ) -> BulkProgress:
        """Run what is left of an operation, command by command; return how far it is then.

        *executor* gets a BulkItem; what it raises is kept as a failure, and the next command
        follows. *progress* is called after each. After a crash another call goes on where this
        one was; the command that ran then runs again. While somebody runs it under a lease,
        BusyError is raised; AbsentError when there is no such operation.
        """
        id = str(id)
        course, work = self._take(user, id)
        index = course.done
        try:
            while course.state == "running" and index < len(work):
                item = BulkItem(user, id, index, work[index])
                error = error_of(executor, item, f"bulk operation {id}, command {index}")
                token = course.token
                course = self._advance(item, error, token)
                if course.state == "running" and course.token != token:
                    break  # the lease ended, and somebody else has gone on with it
                index = course.done
                if progress is not None:
                    progress(_progress(user, id, course))
        except BaseException:
            self._release(user, id, course.token)
            raise
        return _progress(user, id, course)

    def bulk(self, user: str, id: str) -> BulkProgress:
        """Return how far an operation is; AbsentError when there is none (any more)."""
        return _progress(user, str(id), self._course(user, str(id)))

    def bulks(self, user: str | None = None, *, unfinished: bool = False) -> list[BulkProgress]:
        """Return the operations of a user or of all, by user and start.

        With *unfinished* only those that run_bulk() has something to do for: after a restart.
        """
        prefix = f"{AREA}/" if user is None else key_of(AREA, user)
        found = []
        for key, row in self._store.scan(prefix=prefix):
            _, quoted_user, id_ = str(key).split("/")
            found.append(_progress(unquoted(quoted_user), id_, Course(**row)))
        return [each for each in found if not (unfinished and each.finished)]

    def bulk_failures(self, user: str, id: str) -> list[BulkFailure]:
        """Return which commands failed, in their order; empty when none did."""
        prefix = key_of(FAILED, user, f"{quoted(str(id))}/")
        return [
            BulkFailure(int(str(key).removeprefix(prefix)), *row)
            for key, row in self._store.scan(prefix=prefix)
        ]

    def cancel_bulk(self, user: str, id: str) -> BulkProgress:
        """Let no further command of an operation begin; what was done stays done."""
        with self._store.transaction():
            course = self._course(user, str(id))
            if course.state in ("waiting", "running"):
                course = replace(course, state="cancelled", token=None, updated_at=self._now())
                self._finish(user, str(id), course)
        return _progress(user, str(id), course)

    # -- one step each

    def _course(self, user: str, id_: str) -> Course:
        row = self._store.get(key_of(AREA, user, quoted(id_)))
        if row is None:
            raise AbsentError("The user has no such bulk operation. bulks() lists them.")
        return Course(**row)

    def _take(self, user: str, id_: str) -> tuple[Course, list[str]]:
        with self._store.transaction():
            course, now = self._course(user, id_), self._now()
            if course.state not in ("waiting", "running"):
                return course, []
            if course.token is not None and course.leased_until > now:
                raise BusyError(
                    f"Bulk operation {id_} is run by somebody. Should they have died: the lease "
                    f"ends in {course.leased_until - now} ms.",
                    retry_after_ms=course.leased_until - now,
                )
            taken = replace(
                course,
                state="running",
                token=secrets.token_hex(8),
                leased_until=now + self._lease_ms,
                updated_at=now,
            )
            self._store[key_of(AREA, user, id_)] = asdict(taken)
            return taken, self._store[key_of(WORK, user, id_)]

    def _advance(self, item: BulkItem, error: str | None, token: str | None) -> Course:
        """Count a command as done, unless it is no longer ours; return how far it is."""
        with self._store.transaction():
            course, now = self._course(item.user, item.id), self._now()
            if course.token != token:
                return course
            if error is not None:
                key = key_of(FAILED, item.user, f"{item.id}/{item.index:06d}")
                self._store[key] = [item.command, error]
            course = replace(
                course,
                done=item.index + 1,
                failed=course.failed + (error is not None),
                leased_until=now + self._lease_ms,
                updated_at=now,
            )
            if course.done == course.total:
                course = replace(course, state="done", token=None)
                self._finish(item.user, item.id, course)
            else:
                self._store[key_of(AREA, item.user, item.id)] = asdict(course)
        return course

    def _finish(self, user: str, id_: str, course: Course) -> None:
        self._store.delete(key_of(WORK, user, id_))
        self._store.set(key_of(AREA, user, id_), asdict(course), ttl=KEPT)
        for key in list(self._keys(key_of(FAILED, user, f"{id_}/"))):
            self._store.touch(key, KEPT)

    def _release(self, user: str, id_: str, token: str | None) -> None:
        with self._store.transaction():
            row = self._store.get(key_of(AREA, user, id_))
            if row is not None and token is not None and row["token"] == token:
                row["token"] = None
                self._store[key_of(AREA, user, id_)] = row

    def _keys(self, prefix: str) -> Iterator[str]:
        return (str(key) for key, _ in self._store.scan(prefix=prefix))


def _progress(user: str, id_: str, course: Course) -> BulkProgress:
    return BulkProgress(
        user=user,
        id=id_,
        name=course.name,
        state=course.state,
        total=course.total,
        done=course.done,
        failed=course.failed,
        started_at=course.started_at,
        updated_at=course.updated_at,
    )
