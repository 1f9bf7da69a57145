"""Values of a type with a pydantic model in it."""

from __future__ import annotations

from typing import Any, TypeVar

import pydantic
import pydantic_core

from dsfactory.codecs.checked import CheckedCodec
from dsfactory.codecs.complaints import from_pydantic
from dsfactory.codecs.depth import deeper_than
from dsfactory.codecs.faults import Fault
from dsfactory.codecs.traits import Traits, type_name
from dsfactory.codecs.wires import Wire
from dsfactory.errors import OptionError, UnfitEnvironmentError

T = TypeVar("T")


class ModelCodec(CheckedCodec[T]):
    """Values that pydantic validates, strictly, from the JSON form of the model.

    Fields are stored under their names, not their aliases, both ways: an alias may change without
    touching what is stored. Computed fields and private attributes are not stored.
    """

    depth_limit = 200  # of jiter, pydantic's JSON parser

    def __init__(self, wire: Wire, schema: type[T], traits: Traits) -> None:
        """OptionError when pydantic cannot build *schema*; UnfitEnvironmentError before 2.11."""
        super().__init__(wire, schema, traits)
        _require_names()
        self._adapter = _adapter(schema, wire)
        self._write = self._dump
        self._read = self._validate if wire.text else self._validate_packed

    def _dump(self, value: Any) -> bytes:
        # warnings: a wrong type is found by reading back, and the warning would quote the value.
        plain = self._adapter.dump_python(
            value, mode="json", by_alias=False, round_trip=True, warnings=False
        )
        return self._wire.encode(plain)

    def _validate(self, encoded: bytes | str) -> Any:
        return self._adapter.validate_json(encoded, strict=True, by_alias=False, by_name=True)

    def _validate_packed(self, encoded: bytes | str) -> Any:
        # Through JSON, because strict validation of Python objects takes no text for a datetime;
        # with NaN as a constant, which MessagePack carries.
        plain = self._wire.decode(encoded)
        return self._validate(pydantic_core.to_json(plain, inf_nan_mode="constants"))

    def _probe(self, leaf: Any) -> None:
        super()._probe(pydantic_core.to_jsonable_python(leaf))

    def _explain(self, value: T, error: Exception) -> Fault:
        # pydantic says "circular reference", "serialization depth" or "json_invalid".
        if deeper_than(self.depth_limit, value):
            self._refuse_depth()
        return super()._explain(value, error)

    def _complaint(self, error: Exception) -> Fault:
        return from_pydantic(error)


def _require_names() -> None:
    # by_name is an argument since 2.11.
    found = tuple(int(part) for part in pydantic.VERSION.split(".")[:2])
    if found < (2, 11):
        raise UnfitEnvironmentError(
            f"pydantic {pydantic.VERSION} cannot validate by field names; install 2.11 or later",
            found=pydantic.VERSION,
            required="2.11",
        )


def _adapter(schema: type[T], wire: Wire) -> pydantic.TypeAdapter[T]:
    try:
        adapter = pydantic.TypeAdapter(schema)
        adapter.rebuild(raise_errors=True)
    except (pydantic.PydanticUserError, pydantic_core.SchemaError, NameError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(
            f"values of the type {type_name(schema)} cannot be stored as {wire.name}: {reason}",
            schema=type_name(schema),
            codec=wire.name,
        ) from error
    return adapter
