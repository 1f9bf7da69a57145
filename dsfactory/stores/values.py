"""Values on their way in and out of a file: validated, encoded, packed, and back."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from dsfactory.codecs import Codec, Dictionary, Packer
from dsfactory.engine import Connection, Database, register
from dsfactory.errors import OptionTypeError, ValidationRefusedError, ValueTooLargeError
from dsfactory.keys import shown_key
from dsfactory.model import Key
from dsfactory.options import LARGEST_VALUE, StoreOptions
from dsfactory.stores import sql

T = TypeVar("T")
Stored = str | bytes
Check = Callable[[Key, Any], object]


class Encoded(NamedTuple):
    """A value ready to be bound: what is stored, and its size before compression if packed."""

    stored: Stored
    unpacked_bytes: int | None
    size: int
    """Encoded bytes before compression."""

    @property
    def size_bytes(self) -> int:
        """Bytes as stored."""
        return self.size if self.unpacked_bytes is None else len(self.stored)


_encoded = tuple.__new__  # a third of the time of Encoded()


class Values(Generic[T]):
    """The way of one store's values between Python and the file."""

    def __init__(self, codec: Codec[T], options: StoreOptions) -> None:
        self.codec = codec
        self._encode, self._text = codec.encode, codec.text
        self.checks: list[Check] = []
        self._max_bytes = options.max_value_bytes
        self._limit = options.max_bytes
        self.has_dictionary = False
        self._database: Database | None = None
        self.packer = Packer(
            threshold=options.compression_threshold if options.compression else None,
            # Not max_value_bytes: lowered, it must not hide what is stored.
            max_bytes=LARGEST_VALUE,
            find_dictionary=self._find_dictionary,
        )

    def attach(self, database: Database, *, dictionaries: bool) -> None:
        """Find dictionaries in *database*, and compress with its newest one."""
        self._database = database if dictionaries else None
        self.use_newest_dictionary()

    def use_newest_dictionary(self) -> None:
        """Compress from now on with the dictionary that was trained last, if there is one."""
        if self._database is not None:
            # Only what is committed: a rollback must not take a dictionary that is in use.
            for identifier, body in self._database.committed_rows(sql.NEWEST_DICTIONARY):
                self.packer.use_dictionary(Dictionary(identifier, body))
                self.has_dictionary = True

    def _find_dictionary(self, identifier: int) -> bytes | None:
        if self._database is None:
            return None
        rows = self._database.committed_rows(sql.DICTIONARY, (identifier,))
        return rows[0][0] if rows else None

    def encode(self, key: Key, value: T) -> Encoded:
        """Return *value* ready to be stored; refuse it before anything is written.

        Raises ValidationRefusedError, ValueShapeError, ValueTooDeepError or ValueTooLargeError.
        """
        # The type first, so that validators get what they were written for.
        encoded = self._encode(value)
        for check in self.checks:
            _ask(check, key, value)
        size = len(encoded)
        if size > self._max_bytes:
            raise _too_large(key, size, "max_value_bytes", self._max_bytes)
        stored, unpacked_bytes = encoded, None
        if size >= self.packer.least:
            stored, unpacked_bytes = self.packer.pack(encoded)
        if self._limit is not None and len(stored) > self._limit:
            raise _too_large(key, len(stored), "max_bytes", self._limit)
        if unpacked_bytes is None and self._text:
            return _encoded(Encoded, (stored.decode(), None, size))
        return _encoded(Encoded, (stored, unpacked_bytes, size))

    def decode(self, stored: Stored, unpacked_bytes: int | None) -> T:
        """Return the value; raise CorruptValueError when the bytes are damaged."""
        if unpacked_bytes is not None:
            stored = self.unpacked(stored, unpacked_bytes)
        return self.codec.decode(stored)

    def unpacked(self, stored: Stored, unpacked_bytes: int | None) -> bytes:
        """Return the encoded bytes before compression."""
        data = stored.encode() if isinstance(stored, str) else stored
        return data if unpacked_bytes is None else self.packer.unpack(data, unpacked_bytes)

    def functions(self, connection: Connection) -> None:
        """Make ds_pack and ds_unpack known to *connection*, for the view ``entries``."""
        register(connection, "ds_pack", self._sql_pack, 1)
        register(connection, "ds_unpack", self._sql_unpack, 2)

    def _sql_pack(self, value: Stored | float | None) -> Stored | float | None:
        if not isinstance(value, (str, bytes)):
            return value  # NOT NULL and the checks on the column answer for it
        stored, unpacked_bytes = self.packer.pack(self.unpacked(value, None))
        return value if unpacked_bytes is None else stored

    def _sql_unpack(self, stored: Stored, unpacked_bytes: int | None) -> Stored:
        if unpacked_bytes is None:
            return stored
        encoded = self.unpacked(stored, unpacked_bytes)
        return encoded.decode() if self.codec.text else encoded


def size_of(stored: Stored, unpacked_bytes: int | None) -> int:
    """Return the encoded size before compression, in bytes."""
    if unpacked_bytes is not None:
        return unpacked_bytes
    if isinstance(stored, bytes) or stored.isascii():
        return len(stored)
    return len(stored.encode())


def as_check(function: Callable[..., object], option: str) -> Check:
    """Return *function* as a check of (key, value); it may also take the value alone."""
    if not callable(function):
        raise OptionTypeError(
            f"{option} has to be a function of (value) or (key, value), not "
            f"{type(function).__name__}.",
            option=option,
        )
    if _takes_two(function):
        return function
    return lambda _key, value: function(value)


def _takes_two(function: Callable[..., object]) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in types have none: int, str
        return False
    required = [
        p
        for p in signature.parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty
    ]
    return len(required) >= 2


def _ask(check: Check, key: Key, value: object) -> None:
    try:
        answer = check(key, value)
    except Exception as error:
        # The cause is chained for the developer; its text may quote the value, ours does not.
        raise ValidationRefusedError(
            f"The value for key {shown_key(key)} was refused: the validator raised "
            f"{type(error).__name__}. Nothing was written.",
            key=key,
        ) from error
    if answer is False:
        raise ValidationRefusedError(
            f"The value for key {shown_key(key)} was refused by the validator. "
            "Nothing was written.",
            key=key,
        )


def _too_large(key: Key, size: int, option: str, limit: int) -> ValueTooLargeError:
    return ValueTooLargeError(
        f"The value for key {shown_key(key)} has {size} bytes; {option} allows {limit}. "
        "Store it elsewhere, or raise the limit.",
        key=key,
        size=size,
        limit=limit,
    )
