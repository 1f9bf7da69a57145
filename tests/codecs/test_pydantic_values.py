"""Types with a pydantic model in them: validated by pydantic, strictly, under field names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import inf, isnan, nan
from typing import Any, Self
from uuid import UUID

import msgspec
import pydantic
import pydantic.dataclasses
import pytest
from codec_samples import FORMATS, PRIVATE, Address, Color, Person
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from dsfactory.codecs import codec_for
from dsfactory.errors import CorruptValueError, ValueShapeError, ValueTooDeepError


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    size: int = 0


class BiggerOpen(Open):
    more: int = 0


class Kinds(pydantic.BaseModel):
    took: timedelta = timedelta(days=1.5)
    ident: UUID = UUID(int=3)
    price: Decimal = Decimal("1.10")
    color: Color = Color.BLUE
    pair: tuple[int, str] = (1, "x")
    either: int | str = "5"
    text: bytes = b"ascii"
    load: float = 0.5


class Renamed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    written: int = pydantic.Field(serialization_alias="out", validation_alias="in", default=0)

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> int:
        """Not stored."""
        return self.written * 2


class Chain(pydantic.BaseModel):
    next: list[Chain] = []


@pydantic.dataclasses.dataclass
class Strict:
    count: int = pydantic.Field(ge=0)


@dataclass
class Holder:
    person: Person


class Numbers(pydantic.RootModel[list[int]]):
    """A list."""


PEOPLE = Person(
    name="a",
    age=3,
    born=datetime(2024, 1, 1, tzinfo=UTC),
    homes=[Address(street="s", zipCode="1")],
    scores={1: 0.5},
    tags={"x"},
)
KINDS: list[tuple[Any, Any]] = [
    (Person, PEOPLE),
    (Person, Person(name="b")),
    (Kinds, Kinds()),
    (Open, Open.model_validate({"size": 1, "other": [1, {"a": None}]})),
    (Renamed, Renamed.model_validate({"in": 4})),
    (Numbers, Numbers([1, 2])),
    (Strict, Strict(3)),
    (Holder, Holder(PEOPLE)),
    (list[Person], [PEOPLE]),
    (dict[str, Address], {"x": Address(street="s")}),
    (Person | None, None),
    (Person | int, 5),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("schema", "value"), KINDS)
def test_model_round_trip(name: str, schema: Any, value: Any) -> None:
    """Models, and types that hold models, read back equal and of their own class."""
    codec = codec_for(name, schema)
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back) is type(value)


texts = st.text(st.characters(exclude_categories=["Cs"]))
people = st.builds(
    Person,
    name=texts,
    age=st.integers(0, 2**63),
    homes=st.lists(st.builds(Address, street=texts), max_size=3),
    scores=st.dictionaries(
        st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False)
    ),
    tags=st.sets(texts),
)


@pytest.mark.parametrize("name", FORMATS)
@given(value=people)
@settings(deadline=None)
def test_models_round_trip(name: str, value: Person) -> None:
    """Generated models read back equal."""
    codec = codec_for(name, Person)
    assert codec.decode(codec.encode(value)) == value


def test_model_is_stored_under_field_names() -> None:
    """Aliases are not stored, and computed fields neither."""
    assert codec_for("json", Renamed).encode(Renamed.model_validate({"in": 4})) == b'{"written":4}'
    stored = codec_for("json", Address).encode(Address(street="s", zipCode="1"))
    assert msgspec.json.decode(stored) == {"street": "s", "zip_code": "1"}


def test_private_attribute_is_not_stored() -> None:
    """A private attribute starts anew when the model is read."""

    class Private(pydantic.BaseModel):
        size: int = 0
        _seen: int = pydantic.PrivateAttr(default=0)

    value = Private(size=2)
    value._seen = 9
    codec = codec_for("json", Private)
    assert codec.decode(codec.encode(value)) == Private(size=2)


def test_msgpack_model_not_a_number() -> None:
    """NaN and infinity survive in MessagePack; JSON refuses them with their path."""
    codec = codec_for("msgpack", Kinds)
    assert isnan(codec.decode(codec.encode(Kinds(load=nan))).load)
    for load in (nan, inf):
        with pytest.raises(ValueShapeError, match=r"\$\.load: .*not finite"):
            codec_for("json", Kinds).encode(Kinds(load=load))


class Refusing(pydantic.BaseModel):
    word: str = ""
    other: str = ""
    secret: pydantic.SecretStr | None = None
    hidden: int = pydantic.Field(default=0, exclude=True)

    @pydantic.field_validator("word")
    @classmethod
    def _word(cls, word: str) -> str:
        if word == PRIVATE:
            raise ValueError(f"{word} is not allowed")
        return word

    @pydantic.field_validator("other")
    @classmethod
    def _other(cls, other: str) -> str:
        if other == PRIVATE:
            raise PydanticCustomError("bad_other", "{word} is not allowed", {"word": other})
        return other

    @pydantic.model_validator(mode="after")
    def _whole(self) -> Self:
        if self.hidden < 0:
            raise ValueError("negative")
        return self


def made(model: Any, **fields: Any) -> Any:
    """A model that was never validated."""
    return model.model_construct(**fields)


WRONG: list[tuple[Any, Any, str, str]] = [
    (Person, made(Person, name=5), "$.name", "this `int` with `string_type`"),
    (Person, made(Person, name="x", age=-1), "$.age", "with `greater_than_equal`"),
    (Person, made(Person, name="x", age="5"), "$.age", "with `int_type`"),
    (Person, made(Person), "$.name", "with `missing`"),
    (Person, Person(name="\ud800"), "$.name", "lone surrogate"),
    (Person, made(Person, name="x", homes=[made(Address, street=PRIVATE, zip_code=1)]),
     "$.homes[0].zip_code", "with `string_type`"),
    (Person, {"name": "x"}, "$", "expected `Person`, got `dict`"),
    (Person, None, "$", "expected `Person`, got `NoneType`"),
    (list[Person], [5], "$[0]", "this `int` with `model_type`"),
    (Open, BiggerOpen(more=1), "$", "expected `Open`, got `BiggerOpen`"),
    (list[Open], [BiggerOpen()], "$[0]", "expected `Open`, got `BiggerOpen`"),
    (Open, made(Open, other={1}), "$.other", "expected `list`, got `set`"),
    (Open, made(Open, other="\ud800"), "$.other", "lone surrogate"),
    (Open, made(Open, other=object()), "$.other", "`object` has no form"),
    (Kinds, Kinds(text=b"\xff"), "$.text", "not UTF-8"),
    (Refusing, made(Refusing, word=PRIVATE), "$.word", "with `value_error`"),
    (Refusing, made(Refusing, other=PRIVATE), "$.other", "with `bad_other`"),
    (Refusing, Refusing(secret=PRIVATE), "$.secret", "would not read back equal"),
    (Refusing, Refusing(hidden=1), "$.hidden", "would not read back equal"),
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("schema", "value", "path", "reason"), WRONG)
def test_model_wrong_shape(name: str, schema: Any, value: Any, path: str, reason: str) -> None:
    """A model that pydantic would not take back is refused: path and types, no value."""
    with pytest.raises(ValueShapeError) as caught:
        codec_for(name, schema).encode(value)
    assert caught.value.facts["path"] == path
    assert reason in str(caught.value)
    assert PRIVATE not in str(caught.value)


def test_model_validator_at_the_top() -> None:
    """What a model's own validator refuses is said of the whole value."""
    with pytest.raises(CorruptValueError, match=r"\$: pydantic refused .* with `value_error`"):
        codec_for("json", Refusing).decode(b'{"hidden":-1}')


@pytest.mark.parametrize("name", FORMATS)
def test_model_too_deep(name: str) -> None:
    """pydantic's parser goes 200 containers deep: deeper models are refused, looped ones too."""
    codec = codec_for(name, Chain)
    value = Chain()
    for length in range(2, 300):
        value = Chain(next=[value])
        if length == 99:
            assert codec.decode(codec.encode(value)) == value
    for wrong in (value, looped()):
        with pytest.raises(ValueTooDeepError, match="200 containers"):
            codec.encode(wrong)


def looped() -> Chain:
    value = Chain()
    value.next = [value]
    return value


@pytest.mark.parametrize(
    "stored",
    [
        b'{"name":5}',
        b'{"name":"x","age":"3"}',
        b'{"name":"x","homes":[{"street":"%s","zip_code":7}]}' % PRIVATE.encode(),
        b'{"age":1}',
        b"[]",
        b"null",
    ],
)
def test_decode_model_of_wrong_shape(stored: bytes) -> None:
    """pydantic's validation is strict when reading; the message shows no value."""
    packed = msgspec.msgpack.encode(msgspec.json.decode(stored))
    for name, encoded in (("json", stored), ("msgpack", packed)):
        with pytest.raises(CorruptValueError, match="pydantic refused") as caught:
            codec_for(name, Person).decode(encoded)
        assert PRIVATE not in str(caught.value)


class ById(pydantic.BaseModel):
    """Compares by its id."""

    ident: int
    data: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ById) and other.ident == self.ident

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", FORMATS)
def test_model_equality_that_sees_too_little(name: str) -> None:
    """A model with an == of its own is compared field by field."""
    codec = codec_for(name, list[ById])
    assert codec.decode(codec.encode([ById(ident=1, data=[2])]))[0].data == [2]
    with pytest.raises(ValueShapeError, match=r"\$\[0\]\.data: expected `list`, got `set`"):
        codec.encode([ById(ident=1, data={2})])
