"""Deleting a user: from every entry, free page and log, whatever is killed meanwhile.

What is to be done is written down first. Each step may be repeated; the note loses the names before
the file that holds it is scrubbed, and goes last.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date

from dsfactory.services.analytics.book import Book
from dsfactory.services.analytics.identities import Hashed
from dsfactory.services.analytics.records import Erasure, Kept


def erase(book: Book, user: Hashed, *, privacy: bool) -> int:
    """Delete all of *user*, with *privacy* what was decided too; return of how many days."""
    days = _begin(book, user.every, "", user.every if privacy else ())
    finish(book)
    return days


def erase_before(book: Book, users: Iterable[str], before: date) -> int:
    """Delete what *users* did before a day, because they wanted it kept no longer."""
    return _begin(book, tuple(users), str(before), ())


def _begin(book: Book, users: tuple[str, ...], before: str, private: tuple[str, ...]) -> int:
    with book.kept.transaction():
        days = sorted({str(day) for _, day in _keys(book, users, before)})
        if before and not days:
            return 0
        note = Erasure(list(users), days, before)
        book.kept.set(f"x/{os.urandom(8).hex()}", Kept(erasure=note))
        book.kept.delete_many([f"d/{day}" for day in days])
        book.kept.delete_many([f"p/{user}" for user in private])
    return len(days)


def finish(book: Book) -> int:
    """Finish every erasure that was begun, by whomever; return how many."""
    done = 0
    for key, erasure in list(book.erasures()):
        book.events.delete_many([k for k, _ in _keys(book, erasure.users, erasure.before)])
        if not erasure.before:
            book.events.scrub()
            book.kept.set(key, Kept(erasure=Erasure()))
            book.kept.scrub()
        book.kept.delete(key)
        done += 1
    return done


def _keys(book: Book, users: Iterable[str], before: str) -> list[tuple[str, date]]:
    wanted = set(users)
    return [
        (key, day)
        for key, day, user in book.user_keys()
        if user in wanted and (not before or str(day) < before)
    ]
