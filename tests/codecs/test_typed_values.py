"""Values of a type: every kind of schema reads back, and the wrong shape is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf, isnan, nan
from typing import Annotated, Any, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pytest
from codec_samples import (
    FORMATS,
    PRIVATE,
    Account,
    BiggerServer,
    Circle,
    Color,
    Config,
    Everything,
    Level,
    Pair,
    Point,
    Server,
    Settings,
    Square,
    Tree,
    everything,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfactory.codecs import codec_for
from dsfactory.codecs.complaints import from_msgspec
from dsfactory.errors import CorruptValueError, ValueShapeError, ValueTooDeepError

T = TypeVar("T")


@dataclass
class Box(Generic[T]):
    content: T


class Spread(msgspec.Struct, rename="camel", omit_defaults=True):
    first_one: int
    second_one: int | msgspec.UnsetType = msgspec.UNSET


class Row(msgspec.Struct, array_like=True):
    first: int
    second: str = "x"


KINDS: list[tuple[Any, Any]] = [
    (Config, Config("a", [Server("h", 1), Server("i", 2, 0.5)], {"x": 1}, Color.BLUE)),
    (Everything, everything()),
    (Tree, Tree("root", [Tree("leaf"), Tree("twig", [Tree("leaf")])])),
    (Point, Point(1, 2.5)),
    (Circle | Square, Square(3)),
    (list[Circle | Square], [Square(3), Circle(1)]),
    (Row, Row(1)),
    (Spread, Spread(1)),
    (Spread, Spread(1, 2)),
    (Settings, {"theme": "dark"}),
    (Settings, {"theme": "dark", "size": 3}),
    (Pair, Pair(1, "x")),
    (Account, Account("me", 5)),
    (Box[int], Box(3)),
    (Box[list[Server]], Box([Server("h", 1)])),
    (dict, {"a": [1, None]}),
    (list, [1, "x", {"y": 2}]),
    (dict[str, int], {"a": 1}),
    (dict[int, Server], {1: Server("h", 2)}),
    (Mapping[str, Sequence[int]], {"a": [1]}),
    (list[Config], [Config("a")]),
    (tuple[int, str], (1, "x")),
    (tuple[int, ...], (1, 2, 3)),
    (set[int], {1, 2}),
    (frozenset[str], frozenset({"a"})),
    (int, 2**63),
    (int | None, None),
    (str, "é"),
    (bytes, b"\x00"),
    (bool, True),
    (float, 0.1),
    (Color, Color.BLUE),
    (Level, Level.LOW),
    (Literal["a", "b"], "b"),
    (Annotated[int, msgspec.Meta(ge=1)], 1),
    (datetime, datetime(2024, 1, 1, tzinfo=UTC)),
    (Any, {"a": 1}),
    (object, [1]),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("schema", "value"), KINDS)
def test_typed_round_trip(name: str, schema: Any, value: Any) -> None:
    """Every kind of type reads back equal and of its own class."""
    codec = codec_for(name, schema)
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back) is type(value)


texts = st.text(st.characters(exclude_categories=["Cs"]))
servers = st.builds(
    Server, texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.none()
)
configs = st.builds(
    Config,
    texts,
    st.lists(servers),
    st.dictionaries(texts, st.integers(-(2**63), 2**64 - 1)),
    st.sampled_from(Color),
)


@pytest.mark.parametrize("name", FORMATS)
@given(value=configs)
@settings(deadline=None)
def test_records_round_trip(name: str, value: Config) -> None:
    """Records of records read back equal, or hold an integer that the format has not."""
    codec = codec_for(name, Config)
    try:
        encoded = codec.encode(value)
    except ValueShapeError:
        assert name == "msgpack"
        assert any(not -(2**63) <= server.port < 2**64 for server in value.servers)
        return
    assert codec.decode(encoded) == value


def with_server(**changes: Any) -> Config:
    return Config("c", [Server("a", 1), replace(Server("b", 2), **changes)])


WRONG: list[tuple[Any, Any, str, str]] = [
    (Config, with_server(port="80"), "$.servers[1].port", "expected `int`, got `str`"),
    (Config, with_server(port=True), "$.servers[1].port", "expected `int`, got `bool`"),
    (Config, with_server(port=2.5), "$.servers[1].port", "expected `int`, got `float`"),
    (Config, with_server(host=None), "$.servers[1].host", "expected `str`, got"),
    (Config, with_server(host="\ud800"), "$.servers[1].host", "lone surrogate"),
    (Config, with_server(extra={1}), "$.servers[1].extra", "expected `list`, got `set`"),
    (Config, with_server(extra=object()), "$.servers[1].extra", "`object` has no form"),
    (Config, with_server(extra=Point(1)), "$.servers[1].extra", "expected `dict`, got `Point`"),
    (Config, Config("c", limits={"x": PRIVATE}), "$.limits[...]", "expected `int`, got `str`"),
    (Config, Config("c", limits={1: 2}), "$.limits", "`int`"),
    (Config, Config("c", color=PRIVATE), "$.color", "not one of the allowed values"),
    (Config, Config("c", color="blue"), "$.color", "expected `Color`, got `str`"),
    (Config, Config("c", [{"host": "a", "port": 1}]), "$.servers[0]", "`Server`, got `dict`"),
    (Config, Config("c", [BiggerServer("a", 1)]), "$.servers[0]", "got `BiggerServer`"),
    (Config, Server("a", 1), "$", "missing required field `name`"),
    (Config, {"name": "c"}, "$", "expected `Config`, got `dict`"),
    (Config, None, "$", "expected `Config`, got `NoneType`"),
    (Server, BiggerServer("a", 1), "$", "expected `Server`, got `BiggerServer`"),
    (Point, Point("1"), "$.x", "expected `int`, got `str`"),
    (Point, {"x": 1}, "$", "expected `Point`, got `dict`"),
    (Spread, Spread("1"), "$.firstOne", "expected `int`, got `str`"),
    (dict[str, Spread], {"a": Spread(1), "\ud800": Spread(1)}, "$['", "a key of type `str`"),
    (Settings, {"theme": 1}, "$.theme", "expected `str`, got `int`"),
    (Settings, {}, "$", "missing required field `theme`"),
    (Settings, {"theme": "x", "other": 1}, "$.other", "the type has no such key"),
    (Account, Account("me", 5, 7), "$._cache", "would not read back equal"),
    (Pair, (1, 2), "$[1]", "expected `str`, got `int`"),
    (int, "5", "$", "expected `int`, got `str`"),
    (str, 5, "$", "expected `str`, got `int`"),
    (bool, 1, "$", "expected `bool`, got `int`"),
    (dict[str, int], [1], "$", "expected `dict[str, int]`, got `list`"),
    (tuple[int, ...], [1], "$", "expected `tuple`, got `list`"),
    (set[int], [1, 1], "$", "expected `set`, got `list`"),
    (datetime, "2024-01-01T00:00:00Z", "$", "expected `datetime`, got `str`"),
    (Annotated[int, msgspec.Meta(ge=1)], 0, "$", "expected `int` >= 1"),
    (Literal["a"], PRIVATE, "$", "not one of the allowed values"),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("schema", "value", "path", "reason"), WRONG)
def test_wrong_shape(name: str, schema: Any, value: Any, path: str, reason: str) -> None:
    """A value of the wrong shape is refused before it is written: path and types, no value."""
    with pytest.raises(ValueShapeError) as caught:
        codec_for(name, schema).encode(value)
    shown = str(caught.value)
    assert caught.value.facts["path"].startswith(path)
    assert reason in shown
    assert PRIVATE not in shown


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_json_typed_float_not_finite(value: float) -> None:
    """A float field of JSON holds finite numbers only, also where None would be allowed."""
    with pytest.raises(ValueShapeError, match=r"\$\.servers\[1\]\.load: .*not finite"):
        codec_for("json", Config).encode(with_server(load=value))
    with pytest.raises(ValueShapeError, match=r"\$\[0\]: .*not finite"):
        codec_for("json", list[float | None]).encode([value])


def test_msgpack_typed_not_a_number() -> None:
    """MessagePack carries NaN in a typed field."""
    codec = codec_for("msgpack", Config)
    assert isnan(codec.decode(codec.encode(with_server(load=nan))).servers[1].load)


@pytest.mark.parametrize("name", FORMATS)
def test_typed_allowed_differences(name: str) -> None:
    """An int for a float and a tuple for a list read back as the type says."""
    codec = codec_for(name, Config)
    back = codec.decode(codec.encode(Config("c", (Server("a", 1, load=3),))))  # type: ignore[arg-type]
    assert back == Config("c", [Server("a", 1, load=3.0)])
    assert type(back.servers[0].load) is float


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("fold", [0, 1])
def test_typed_datetime_in_repeated_hour(name: str, fold: int) -> None:
    """A datetime in the hour that daylight saving repeats is stored, as the same instant."""
    at = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    codec = codec_for(name, dict[str, datetime])
    assert codec.decode(codec.encode({"at": at}))["at"].astimezone(UTC) == at.astimezone(UTC)


@dataclass
class Entity:
    """Compares by its id, as entities do: == says nothing of the rest."""

    ident: int
    data: Any = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entity) and other.ident == self.ident

    __hash__ = None  # type: ignore[assignment]


@dataclass
class BigEntity(Entity):
    more: int = 0


@dataclass
class Uncompared:
    data: Any = field(default=None, compare=False)


@dataclass(eq=False)
class Inherited(Config):
    data: Any = None


@attrs.define
class HalfCompared:
    data: Any = attrs.field(default=None, eq=False)


@dataclass(eq=False)
class Incomparable:
    data: Any = None


@dataclass(eq=False)
class Empty:
    """Has no fields."""


class Odd(msgspec.Struct):
    data: Any = None

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


BLIND: list[tuple[type, Any]] = [
    (Entity, Entity(1, {1})),
    (list[Entity], [BigEntity(1)]),  # type: ignore[list-item]
    (Uncompared, Uncompared({1})),
    (Inherited, Inherited("x", data={1})),
    (HalfCompared, HalfCompared({1})),
    (Incomparable, Incomparable({1})),
    (Odd, Odd({1})),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("schema", "value"), BLIND)
def test_equality_that_sees_too_little(name: str, schema: Any, value: Any) -> None:
    """A type whose == does not see every field is compared field by field all the same."""
    with pytest.raises(ValueShapeError, match=r"\$(\.data|\[0\]): expected"):
        codec_for(name, schema).encode(value)


@pytest.mark.parametrize("name", FORMATS)
def test_type_without_equality(name: str) -> None:
    """A type without == is stored when its fields read back."""
    codec = codec_for(name, Incomparable)
    assert codec.decode(codec.encode(Incomparable([1]))).data == [1]
    assert type(codec_for(name, Empty).decode(codec_for(name, Empty).encode(Empty()))) is Empty


@dataclass
class Checked:
    word: str

    def __post_init__(self) -> None:
        if self.word == PRIVATE:
            raise ValueError(f"{self.word} is not allowed")


@pytest.mark.parametrize("name", FORMATS)
def test_type_with_its_own_validation(name: str) -> None:
    """What __post_init__ refuses is refused; its text is not shown, it may quote the value."""
    value = Checked("fine")
    codec = codec_for(name, list[Checked])
    assert codec.decode(codec.encode([value])) == [value]
    value.word = PRIVATE
    with pytest.raises(ValueShapeError, match=r"\$\[0\]: .*refused it with ValueError") as caught:
        codec.encode([value])
    assert PRIVATE not in str(caught.value)
    assert caught.value.__cause__ is None


def chain(length: int) -> Tree:
    tree = Tree("x")
    for _ in range(length - 1):
        tree = Tree("x", [tree])
    return tree


@pytest.mark.parametrize("name", FORMATS)
def test_recursive_type_at_depth_limit(name: str) -> None:
    """250 records with a list each are 500 containers: the limit."""
    codec = codec_for(name, Tree)
    back, depth = codec.decode(codec.encode(chain(250))), 1
    while back.children:
        back, depth = back.children[0], depth + 1
    assert depth == 250
    for length in (251, 5_000):
        with pytest.raises(ValueTooDeepError):
            codec.encode(chain(length))


@dataclass(frozen=True)
class Place:
    at: tuple[int, Any]


def test_many_records_as_keys() -> None:
    """MessagePack takes records as keys, also so many that their depth is counted."""
    codec = codec_for("msgpack", dict[Place, Any])
    value = {Place((number, None)): [number] for number in range(600)}
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("name", FORMATS)
def test_record_containing_itself(name: str) -> None:
    """A record that contains itself is too deep."""
    tree = Tree("x")
    tree.children.append(tree)
    with pytest.raises(ValueTooDeepError):
        codec_for(name, Tree).encode(tree)


@attrs.define
class Child:
    """Knows its parent in a field that msgspec does not encode."""

    data: Any
    _parent: Any = None


def test_back_reference_that_is_not_encoded() -> None:
    """A fault is found beside a reference that leads back up."""
    child = Child({1: object()})
    child._parent = child
    with pytest.raises(ValueShapeError, match=r"\$\.data\[\.\.\.\]"):
        codec_for("json", Child).encode(child)


@pytest.mark.parametrize(
    ("schema", "encoded"),
    [
        (Config, '{"name":5}'),
        (Config, '{"nam":"x"}'),
        (Config, "[]"),
        (Config, '{"name":"x","color":"@"}'),
        (Config, '{"name":"x","servers":[{"host":"a","port":"@"}]}'),
        (Circle | Square, '{"type":"@"}'),
        (Point, '{"x":"1"}'),
        (int, '"5"'),
        (dict[str, int], '{"a":"@"}'),
        (dict[Color, int], '{"@":1}'),
        (datetime, '"@"'),
        (list[Checked], '[{"word":"@"}]'),
    ],
)
def test_decode_wrong_shape(schema: Any, encoded: str) -> None:
    """Stored bytes of another shape are refused when read; the message shows no value."""
    encoded = encoded.replace("@", PRIVATE)
    packed = msgspec.msgpack.encode(msgspec.json.decode(encoded))
    for name, stored in (("json", encoded), ("json", encoded.encode()), ("msgpack", packed)):
        with pytest.raises(CorruptValueError, match="cannot be decoded") as caught:
            codec_for(name, schema).decode(stored)
        assert PRIVATE not in str(caught.value)


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    x: int = 0


def test_decode_unknown_field() -> None:
    """A field that the type forbids is named when its name is a short word."""
    with pytest.raises(CorruptValueError, match="unknown field `old_name`"):
        codec_for("json", Closed).decode(b'{"old_name":1}')
    with pytest.raises(CorruptValueError, match="an unknown field"):
        codec_for("json", Closed).decode(b'{"%s and more":1}' % PRIVATE.encode())


def test_unknown_complaint_is_not_quoted() -> None:
    """A text of msgspec's that is not known to be free of values is not shown."""
    fault = from_msgspec(msgspec.ValidationError(f"Strange `{PRIVATE}` - at `$.a[0]`"))
    assert (fault.path, fault.reason) == ("$.a[0]", "does not validate")


@pytest.mark.parametrize("name", FORMATS)
def test_other_type_of_the_same_name(name: str) -> None:
    """Where the names of two types say nothing, the format's own words do."""
    other = msgspec.defstruct("Row", [("first", int)])
    with pytest.raises(ValueShapeError, match=r"\$: expected `array`, got `object`"):
        codec_for(name, Row).encode(other(1))


def test_decode_exception_of_the_type_itself() -> None:
    """An exception that is no refusal is a bug of the type and passes through."""

    @dataclass
    class Buggy:
        x: int

        def __post_init__(self) -> None:
            {}[self.x]

    with pytest.raises(KeyError):
        codec_for("json", Buggy).decode(b'{"x":1}')
