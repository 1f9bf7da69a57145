"""One answer of doctor."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, NOTE, MEND = "good", "note", "MEND"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it."""

    check: str
    subject: str
    """The store or the place that it is about."""
    verdict: str
    """"good"; "note": worth knowing, nothing has to be done; "MEND": something has."""
    found: str
    todo: str = ""

    @classmethod
    def good(cls, check: str, subject: str, found: str) -> Finding:
        """Return an answer with which all is well."""
        return cls(check, subject, GOOD, found)

    @classmethod
    def note(cls, check: str, subject: str, found: str, todo: str = "") -> Finding:
        """Return an answer worth knowing."""
        return cls(check, subject, NOTE, found, todo)

    @classmethod
    def mend(cls, check: str, subject: str, found: str, todo: str) -> Finding:
        """Return an answer that asks for something to be done."""
        return cls(check, subject, MEND, found, todo)
