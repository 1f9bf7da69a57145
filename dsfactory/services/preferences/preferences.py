"""UserPreferenceManager: all parts together, and every user in numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from dsfactory.durations import Duration, duration_ms
from dsfactory.factory import DataStoreFactory
from dsfactory.services.preferences import agenda, aliases, bulk, choosing, history
from dsfactory.services.preferences.agenda import Agenda
from dsfactory.services.preferences.book import key_of
from dsfactory.services.preferences.bulk import Bulks
from dsfactory.services.preferences.choosing import Choosing, Form
from dsfactory.services.preferences.history import History
from dsfactory.services.preferences.records import Totals, UserStatistics
from dsfactory.services.preferences.rules import checked_limit, checked_words, first_word
from dsfactory.services.preferences.zones import zone_named

P = TypeVar("P")

TOP = 10
"""First words that statistics() names."""

AREAS = (
    choosing.AREA,
    aliases.AREA,
    history.AREA,
    agenda.AREA,
    agenda.ZONE,
    bulk.AREA,
    bulk.WORK,
    bulk.FAILED,
)
"""Where rows of users are; the index of what is due stands beside them."""


class UserPreferenceManager(Choosing[P], History, Agenda, Bulks):
    """Preferences, aliases, history and scheduled commands of users, in one state store.

    *schema* is a dataclass, Struct, attrs or pydantic class whose every field has a default: the
    preferences. Users and scopes are
    texts of 1 to 128 characters. Threads and processes share it; what a call has written is on
    disk when it returns. Bad input raises PreferenceError with field, type and rule in its facts;
    nothing is written then.
    """

    def __init__(
        self,
        factory: DataStoreFactory,
        schema: type[P],
        *,
        name: str = "user-preferences",
        available: Iterable[str] = (),
        reserved: Iterable[str] = (),
        history_limit: int = 100,
        timezone: str = "UTC",
        lease: Duration = "5m",
    ) -> None:
        """Open the manager whose state store is *name*, made when it is new.

        *available* are the application's commands, for suggestions; their first words and
        *reserved* ones cannot be aliases. *history_limit* entries are kept of each user.
        *timezone* is that of users who set none. A *lease* is how long a scheduled command or a
        command of a bulk operation may run before others may take it for dead.
        """
        self._form = Form(schema)
        self._available = checked_words("available", available)
        words = (*self._available, *checked_words("reserved", reserved))
        self._reserved = frozenset(first_word(word) for word in words)
        self._history_limit = checked_limit("history_limit", history_limit, history.MAX_HISTORY)
        self._timezone = zone_named(timezone).key
        self._lease_ms = duration_ms(lease, "lease")
        super().__init__(factory, name)

    def statistics(self, user: str) -> UserStatistics:
        """Return one user in numbers; zeros for an unknown one."""
        row = self._row(key_of(history.AREA, user))
        scheduled = self.scheduled(user)
        counts = sorted(row.get("counts", {}).items(), key=lambda pair: (-pair[1], pair[0]))
        entries = row.get("entries", ())
        return UserStatistics(
            user=user,
            preferences=self._chosen_counts(user),
            aliases=len(self._row(key_of(aliases.AREA, user))),
            alias_uses=row.get("alias_uses", {}),
            commands=row.get("total", 0),
            failed_commands=row.get("failed", 0),
            kept=len(entries),
            top_commands=tuple(counts[:TOP]),
            first_at=row.get("first_at"),
            last_at=entries[0][2] if entries else None,
            scheduled=len(scheduled),
            runs=sum(each.runs for each in scheduled),
            run_failures=sum(each.failures for each in scheduled),
            next_at=min((s.next_at for s in scheduled if s.next_at is not None), default=None),
            unfinished_bulks=len(self.bulks(user, unfinished=True)),
        )

    def totals(self) -> Totals:
        """Return all users in numbers; reads every row."""
        rows = {area: dict(self._store.scan(prefix=f"{area}/")) for area in AREAS}
        scheduled = rows[agenda.AREA].values()
        return Totals(
            users=len({str(key).split("/")[1] for keys in rows.values() for key in keys}),
            scopes=len(rows[choosing.AREA]),
            aliases=sum(len(row) for row in rows[aliases.AREA].values()),
            commands=sum(row["total"] for row in rows[history.AREA].values()),
            scheduled=len(scheduled),
            overdue=len(self.due()),
            runs=sum(row["runs"] for row in scheduled),
            run_failures=sum(row["failures"] for row in scheduled),
            unfinished_bulks=len(self.bulks(unfinished=True)),
        )

    def forget(self, user: str) -> int:
        """Delete everything about the user; return how many rows there were."""
        prefixes = [key_of(area, user) for area in AREAS]
        with self._store.transaction():
            for scheduled in self.scheduled(user):
                self.unschedule(user, scheduled.id)
            keys = [key for prefix in prefixes for key in self._keys(prefix)]
            return self._store.delete_many(keys)
