"""Encode, read back, compare: what all codecs that go through msgspec share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from msgspec import MsgspecError

from dsfactory.codecs.codec import Codec
from dsfactory.codecs.complaints import from_msgspec
from dsfactory.codecs.faults import Fault, difference, unencodable
from dsfactory.codecs.traits import Traits, type_name
from dsfactory.codecs.wires import MAX_DEPTH, Wire
from dsfactory.errors import CorruptValueError, ValueShapeError, ValueTooDeepError

T = TypeVar("T")

# What encoders and decoders raise for a value or for bytes that they do not take; msgspec's own are
# ValueErrors in 0.22, not in 0.20. Others come from the type's code and are its author's to see.
_REFUSALS = (TypeError, ValueError, OverflowError, MsgspecError)


class CheckedCodec(Codec[T]):
    """Promises that whatever it encoded was read back and compared before ``encode`` returned."""

    # The sentence for a value that comes back as another type.
    mismatch = "expected `{expected}`, got `{actual}`"

    # How many containers the decoder can be trusted to go down.
    depth_limit = MAX_DEPTH

    def __init__(self, wire: Wire, schema: type[T] | None, traits: Traits) -> None:
        """Take plain values; subclasses replace how values are written and read."""
        self.name = wire.name
        self.text = wire.text
        self.schema = schema
        self._wire = wire
        self._trusts_equality = traits.trusts_equality
        self._open_ended = traits.open_ended
        self._sure: frozenset[type] = frozenset()
        self._write: Callable[[Any], bytes] = wire.encode
        self._read: Callable[[bytes | str], Any] = wire.decode

    def encode(self, value: T) -> bytes:
        """Return *value* as bytes; see ``Codec.encode``."""
        try:
            encoded = self._write(value)
            if type(value) in self._sure:
                return encoded
            back = self._read(encoded)
        except RecursionError:
            self._refuse_depth()
        except _REFUSALS as error:
            self._refuse(self._explain(value, error))
        try:
            same = self._trusts_equality and back == value
        except RecursionError:
            same = False  # an __eq__ in Python takes several frames for each level; the walk none
        if not same:
            self._require_same(value, back)
        if self._open_ended and self._wire.too_deep(encoded, back):
            self._refuse_depth()
        return encoded

    @property
    def again(self) -> Callable[[bytes | str], T]:
        """See ``Codec.again``."""
        return self._read

    def decode(self, encoded: bytes | str) -> T:
        """Return the value; see ``Codec.decode``."""
        try:
            value: T = self._read(encoded)
        except RecursionError:
            self._report(Fault("$", "nested too deep to be read here"))
        except _REFUSALS as error:
            self._report(self._complaint(error))
        return value

    def value_of(self, plain: Any) -> T:
        """Return the value that *plain* says: dicts, lists and scalars, as decoded of a file.

        Raises ValueShapeError or ValueTooDeepError when it is none of the type.
        """
        try:
            value: T = self._read(self._wire.encode(plain))
        except RecursionError:
            self._refuse_depth()
        except _REFUSALS as error:
            self._refuse(self._complaint(error))
        return value

    def _require_same(self, value: T, back: T) -> None:
        fault = difference(value, back, self.mismatch)
        if fault is not None:
            self._refuse(self._not_finite(value) or fault)

    def _explain(self, value: T, error: Exception) -> Fault:
        """Say where *value* cannot be encoded, or where it is not of the schema."""
        fault = unencodable(value, self._probe, only_finite=self._wire.only_finite)
        return fault or self._at_top(value, self._complaint(error))

    def _at_top(self, value: T, fault: Fault) -> Fault:
        # At the top the caller's own names say more than the format's (`object`, `array`).
        if fault.path != "$" or fault.actual is None:
            return fault
        expected, actual = type_name(self.schema), type(value).__name__
        if expected == actual:
            return fault
        return Fault("$", f"expected `{expected}`, got `{actual}`", expected, actual)

    def _not_finite(self, value: T) -> Fault | None:
        # Said as what it is, not as "would read back as None".
        if not self._wire.only_finite:
            return None
        return unencodable(value, self._probe, only_finite=True)

    def _probe(self, leaf: Any) -> None:
        self._wire.decode(self._wire.encode(leaf))

    def _complaint(self, error: Exception) -> Fault:
        """Translate *error*, without any value that its text may hold."""
        return from_msgspec(error)

    def _refuse(self, fault: Fault) -> NoReturn:
        raise ValueShapeError(
            f"{fault.path}: {fault.reason}; nothing was written ({self._title()})",
            path=fault.path,
            expected=fault.expected,
            actual=fault.actual,
            codec=self.name,
        ) from None

    def _refuse_depth(self) -> NoReturn:
        raise ValueTooDeepError(
            f"the value is nested deeper than {self.depth_limit} containers, deeper than this "
            f"thread's stack allows, or contains itself; nothing was written ({self._title()})",
            limit=self.depth_limit,
            codec=self.name,
        ) from None

    def _report(self, fault: Fault) -> NoReturn:
        raise CorruptValueError(
            f"a stored value cannot be decoded: {fault.path}: {fault.reason} ({self._title()}); "
            "it was damaged or written with another type: write it again or restore a backup",
            path=fault.path,
            expected=fault.expected,
            actual=fault.actual,
            codec=self.name,
        ) from None

    def _title(self) -> str:
        return self.name if self.schema is None else f"{self.name}, {type_name(self.schema)}"
