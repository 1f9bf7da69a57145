"""The history of a store: every version of every key, signed with who, when, why and a hash."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

from dsfactory.codecs import Codec
from dsfactory.engine import Reading, Transaction
from dsfactory.errors import (
    CorruptValueError,
    OptionError,
    OptionTypeError,
    VersionAbsentError,
)
from dsfactory.keys import shown_key
from dsfactory.model import Key, Version
from dsfactory.stores import sql
from dsfactory.stores.values import Encoded, Values

T = TypeVar("T")


class Signature(NamedTuple):
    """Who changes something, and why."""

    who: str
    why: str | None = None


def this_user() -> str:
    """Return the name of the user that runs this process."""
    import getpass  # dear, and only stores with a history need it

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user id, as in some containers
        return "unknown"


def _sha256(encoded: bytes) -> str:
    import hashlib  # loads OpenSSL, which only stores with a history need

    return hashlib.sha256(encoded).hexdigest()


def _text(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise OptionTypeError(f"{name} has to be text or None.", option=name)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise OptionError(f"{name} holds a lone surrogate.", option=name) from None
    return value


class History(Generic[T]):
    """Signs what the schema's triggers recorded, and reads it back.

    The triggers copy every version in the same transaction, whoever writes; this class only
    adds what SQL cannot know, just before the commit.
    """

    def __init__(self, values: Values[T], max_versions: int | None) -> None:
        self._values = values
        self._max_versions = max_versions
        self._local = threading.local()

    @contextlib.contextmanager
    def signed(self, who: str | None, why: str | None) -> Iterator[None]:
        """Sign what this thread changes inside of the block; None keeps the outer signature."""
        before = self._signature()
        chosen = Signature(_text("who", who) or before.who, _text("why", why) or before.why)
        self._local.signature = chosen
        try:
            yield
        finally:
            self._local.signature = before

    def _signature(self) -> Signature:
        signature: Signature | None = getattr(self._local, "signature", None)
        return signature or Signature(this_user())

    def begun(self, transaction: Transaction) -> None:
        """Remember where the history ends before this transaction."""
        ((self._local.last,),) = transaction.rows(sql.LAST_CHANGE)

    def committing(self, transaction: Transaction) -> None:
        """Sign every change of this transaction and forget versions beyond the limit."""
        self.sign(transaction)
        if self._max_versions is not None:
            for (key,) in transaction.rows(sql.CHANGED_KEYS, (self._local.last,)):
                transaction.run(sql.FORGET_VERSIONS, (key, self._max_versions))

    def sign(self, transaction: Transaction) -> None:
        """Sign the changes that nobody has signed yet with the signature in force."""
        signature = self._signature()
        changes = transaction.rows(sql.UNSIGNED, (self._local.last,))
        transaction.many(
            sql.SIGN,
            [
                (seq, signature.who, signature.why, self._hash(value, unpacked), transaction.now)
                for seq, unpacked, value in changes
            ],
        )

    def _hash(self, stored: str | bytes | None, unpacked_bytes: int | None) -> str | None:
        if stored is None:
            return None
        return _sha256(self._values.unpacked(stored, unpacked_bytes))

    def versions(
        self, reading: Reading, key: Key, limit: int | None, codec: Codec[T]
    ) -> list[Version[T]]:
        """Return the versions of *key*, newest first, their values read by *codec*."""
        rows = reading.rows(sql.HISTORY, (key, -1 if limit is None else limit))
        unpack = self._values.unpacked
        return [
            Version(
                version=version,
                key=found,
                value=None if value is None else codec.decode(unpack(value, unpacked)),
                change=change,
                changed_at=changed_at,
                who=who,
                why=why,
                sha256=sha256,
            )
            for version, found, change, changed_at, who, why, sha256, unpacked, value in rows
        ]

    def saved(self, reading: Reading, key: Key, version: int) -> Encoded:
        """Return one version as it was stored, its hash checked.

        Raises VersionAbsentError, or CorruptValueError when the hash does not match.
        """
        if isinstance(version, bool) or not isinstance(version, int):
            raise OptionTypeError("A version has to be an int.", option="version")
        known = 0 < version < 2**63  # what SQLite can hold
        rows = reading.rows(sql.ONE_VERSION, (key, version)) if known else []
        if not rows:
            raise VersionAbsentError(
                f"Key {shown_key(key)} has no saved version {version}. history() lists them.",
                key=key,
                version=version,
            )
        unpacked_bytes, stored, sha256 = rows[0]
        encoded = self._values.unpacked(stored, unpacked_bytes)
        if sha256 is not None and _sha256(encoded) != sha256:
            raise CorruptValueError(
                f"Version {version} of key {shown_key(key)} does not match its hash: it was "
                "changed after it was saved. Choose another version.",
                key=key,
                version=version,
            )
        return Encoded(stored, unpacked_bytes, len(encoded))
