"""One attempt at the steps of a file, inside of its transaction: run, examined, marked, blamed."""

from __future__ import annotations

from pathlib import Path

import apsw
from sqlalchemy.exc import StatementError

from dsfactory import __version__
from dsfactory.engine import Connection
from dsfactory.engine.counting import row_counts
from dsfactory.engine.translate import translated
from dsfactory.errors import UpgradeFailedError
from dsfactory.stores import journal
from dsfactory.upgrade import examining
from dsfactory.upgrade.planning import Plan, Plans, Target, can_note
from dsfactory.upgrade.running import Observer, Run, literal
from dsfactory.upgrade.scripts import number_of

SET_RELEASE = {"registry": "UPDATE registry_meta SET release = ?"}
SET_STORE_RELEASE = "UPDATE meta SET release = ?"
NOTE_LINEAGE = "UPDATE meta SET lineage = ?"
# A pragma takes no parameter; this is a number.
SET_REVISION = "PRAGMA user_version = {:d}"


class Attempt:
    """Knows at any moment what to blame. Whatever it raises, the caller rolls back."""

    def __init__(
        self,
        target: Target,
        connection: Connection,
        snapshot: Path | None,
        observe: Observer = lambda _: None,
    ) -> None:
        """*observe* is told every statement of the steps before it runs."""
        self._target = target
        self._connection = connection
        self._snapshot = snapshot
        self._observe = observe
        self._revision: str | None = None

    def execute(self, plans: Plans) -> None:
        """Run all steps and examine the result; set the new revision. Raises UpgradeFailedError."""
        target, connection = self._target, self._connection
        if plans.work:
            # What is recorded are rows of this revision; opening begins anew with the next one
            journal.end(journal.Plain(connection), target.clock())
        before = self._found()
        rows = before.rows
        for plan in plans.work:
            self.run(plan)
            after = row_counts(connection)
            self._refuse(examining.lost_rows(rows, after, self._free(plan, rows)))
            rows = after
        self._refuse(examining.complaints(connection, before, self._found()))
        if plans.ours.after == target.profile.head:
            self._refuse(examining.unlike_new(connection, target.kind, target.features))
        self._mark(plans)

    def run(self, plan: Plan) -> None:
        """Run the steps of one lineage. Raises UpgradeFailedError naming where it stopped."""
        run = Run(plan.lineage, self._observe)
        try:
            run.to(self._connection, plan.after, down=plan.down)
        except Exception as error:
            # A migration is anybody's code; whatever it raises, the file stays as it was.
            # Batch mode tidies up after a failure: then the last statement is not the one.
            own = error.statement if isinstance(error, StatementError) else None
            raise self._failed(error, run.step, own or run.statement) from error
        self._revision = run.step

    def commit(self) -> None:
        """Make it so. A full disk may show only now; raises UpgradeFailedError."""
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise self._failed(error, self._revision, "COMMIT") from error

    def _found(self) -> examining.Findings:
        try:
            return examining.findings(self._connection, self._target.kind, self._target.features)
        except apsw.Error as error:
            raise self._failed(error, self._revision, None) from error

    def _free(self, plan: Plan, rows: dict[str, int]) -> set[str]:
        """Return the tables whose rows the plan may add and remove.

        An application does what it likes with its own; ours are never changed unsaid.
        """
        free = examining.declared(plan.lineage, plan.steps)
        if plan.lineage.ours:
            return free
        return free | (set(rows) - examining.our_tables(self._target.kind, self._target.features))

    def _mark(self, plans: Plans) -> None:
        ours = plans.ours
        if ours.steps:
            self._also(SET_REVISION.format(number_of(ours.after)))
        if ours.steps and ours.after is not None:
            self._also(SET_RELEASE.get(self._target.kind, SET_STORE_RELEASE), __version__)
        if plans.noted is not None and can_note(self._connection):
            self._also(NOTE_LINEAGE, plans.noted)

    def _also(self, statement: str, *parameters: str) -> None:
        self._observe(literal(statement, parameters))
        self._connection.execute(statement, parameters)

    # -- blame

    def _failed(
        self, error: Exception, revision: str | None, statement: str | None
    ) -> UpgradeFailedError:
        text = " ".join(statement.split())[:200] if statement else None
        at = f" at {text!r}" if text else ""
        return self._unchanged(
            f"revision {revision or 'of the file'} failed ({_reason(error, self._target.path)})"
            f"{at}",
            revision=revision,
            statement=text,
        )

    def _refuse(self, complaints: list[str]) -> None:
        if complaints:
            raise self._unchanged(
                f"after revision {self._revision} the file is not as it should be "
                f"({'; '.join(complaints[:3])})",
                revision=self._revision,
                statement=None,
                complaints=tuple(complaints),
            )

    def _unchanged(self, happened: str, **facts: object) -> UpgradeFailedError:
        name, snapshot = self._target.name, self._snapshot
        copy = f" A copy from before is {snapshot}." if snapshot else ""
        return UpgradeFailedError(
            f"{name}: {happened}. The file is unchanged.{copy}",
            store=name,
            snapshot=str(snapshot) if snapshot else None,
            **facts,
        )


def _reason(error: BaseException, path: Path) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, apsw.Error):
            return f"{type(translated(cause, path)).__name__}: {cause}"
        cause = cause.__cause__
    # SQLAlchemy's own text would quote the parameters: stored values.
    if isinstance(error, StatementError) and error.orig is not None:
        error = error.orig
    return f"{type(error).__name__}: {error}"
