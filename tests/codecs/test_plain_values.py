"""Values without a schema: what reads back, and what is refused before it is written."""

from __future__ import annotations

import enum
import sys
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from math import inf, isnan, nan
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from codec_samples import FORMATS, PRIVATE, Color, Config, Level, Pair, nested
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfactory.codecs import codec_for
from dsfactory.errors import CorruptValueError, ValueShapeError, ValueTooDeepError

JSON, MSGPACK = codec_for("json"), codec_for("msgpack")

texts = st.text(st.characters(exclude_categories=["Cs"]))
scalars = st.none() | st.booleans() | texts | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    scalars | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
keys = st.integers(-(2**63), 2**64 - 1) | texts | st.binary() | st.booleans() | st.none()
msgpack_values = st.recursive(
    scalars | st.binary() | st.integers(-(2**63), 2**64 - 1),
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner),
    max_leaves=20,
)


def identical(left: Any, right: Any) -> bool:
    """Equal and of the same types all the way down; ``==`` takes 1 for True."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=True)
        return all(identical(list(a), list(b)) for a, b in pairs)
    if isinstance(left, list):
        return all(map(identical, left, right))
    return True


@given(json_values)
@settings(deadline=None)
def test_json_round_trip(value: Any) -> None:
    """Whatever JSON can say reads back equal, of the same types and in the same order."""
    assert identical(JSON.decode(JSON.encode(value)), value)


@given(msgpack_values)
@settings(deadline=None)
def test_msgpack_round_trip(value: Any) -> None:
    """Whatever MessagePack can say reads back equal, of the same types and in the same order."""
    assert identical(MSGPACK.decode(MSGPACK.encode(value)), value)


anything = st.recursive(
    scalars | st.floats() | st.integers() | st.binary() | st.text() | st.dates() | st.decimals(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=10,
)


def listed(value: Any) -> Any:
    """*value* with its tuples as lists, as both formats give them back."""
    if isinstance(value, list | tuple):
        return [listed(part) for part in value]
    if isinstance(value, dict):
        return {key: listed(part) for key, part in value.items()}
    return "nan" if value != value else value  # noqa: PLR0124


@pytest.mark.parametrize("name", FORMATS)
@given(value=anything)
@settings(deadline=None)
def test_value_reads_back_or_is_refused(name: str, value: Any) -> None:
    """There is no third way: a value reads back equal, or it is refused."""
    codec = codec_for(name)
    try:
        encoded = codec.encode(value)
    except ValueShapeError:
        return
    assert listed(codec.decode(encoded)) == listed(value)


REFUSED_BY_BOTH: list[tuple[Any, str, str]] = [
    ({"servers": [1, 2, {"port": {80}}]}, "$.servers[2].port", "set"),
    ([frozenset({1})], "$[0]", "frozenset"),
    ({"at": datetime(2024, 1, 1)}, "$.at", "datetime"),
    ([date(2024, 1, 1)], "$[0]", "date"),
    ([timedelta(1)], "$[0]", "timedelta"),
    ([Decimal("1.5")], "$[0]", "Decimal"),
    ([UUID(int=1)], "$[0]", "UUID"),
    ([Color.RED], "$[0]", "Color"),
    ({"a": {"b": Config("x")}}, "$.a.b", "Config"),
    ([Pair(1, "x")], "$[0]", "Pair"),
    ([1, [deque([1])]], "$[1][0]", "deque"),
    ([1j], "$[0]", "complex"),
    ([msgspec.Raw(b"1")], "$[0]", "Raw"),
    ([msgspec.UNSET], "$[0]", "UnsetType"),
    ({"a b": [object()]}, "$['a b'][0]", "object"),
    (["ok", "\ud800" + PRIVATE], "$[1]", "str"),
    ({"a": {"\udfff": 1}}, r"$.a['\udfff']", "str"),
    ({"a": {frozenset({1}): 1}}, "$.a[...]", "frozenset"),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("value", "path", "actual"), REFUSED_BY_BOTH)
def test_unrepresentable_value(name: str, value: Any, path: str, actual: str) -> None:
    """What would not read back is refused with its path and its type."""
    with pytest.raises(ValueShapeError) as caught:
        codec_for(name).encode(value)
    assert caught.value.facts["path"] == path
    assert str(caught.value).startswith(f"{path}: ")
    assert f"`{actual}`" in str(caught.value)
    assert PRIVATE not in str(caught.value)


REFUSED_BY_JSON: list[tuple[Any, str, str]] = [
    (nan, "$", "is not finite"),
    ([1.0, inf], "$[1]", "is not finite"),
    ({"a": {"b": -inf}}, "$.a.b", "is not finite"),
    ({"a": b"x"}, "$.a", "this `bytes` would read back as `str`"),
    ([bytearray(b"x")], "$[0]", "this `bytearray` would read back as `str`"),
    ({"a": {1: "x"}}, "$.a[...]", "a key of type `int` would not read back"),
    ({1.5: "x"}, "$[...]", "a key of type `float`"),
    ({True: "x"}, "$[...]", "a key of type `bool` has no form"),
    ({(1, 2): "x"}, "$[...]", "a key of type `tuple` has no form"),
    ({1: 2, "1": 1}, "$[...]", "a key of type `int`"),
    ([datetime(2024, 1, 1, tzinfo=UTC)], "$[0]", "this `datetime` would read back as `str`"),
    ([msgspec.msgpack.Ext(1, b"x")], "$[0]", "`Ext` has no form"),
    ([10**5000], "$[0]", "this `int` is too large"),
]


@pytest.mark.parametrize(("value", "path", "reason"), REFUSED_BY_JSON)
def test_json_unrepresentable_value(value: Any, path: str, reason: str) -> None:
    """JSON refuses what msgspec would write as null, as a string or under another key."""
    with pytest.raises(ValueShapeError) as caught:
        JSON.encode(value)
    assert caught.value.facts["path"] == path
    assert reason in str(caught.value)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
def test_msgpack_large_integer(value: int) -> None:
    """MessagePack has no integers beyond 64 bits; JSON has."""
    with pytest.raises(ValueShapeError, match=r"\$\.a: this `int` is too large"):
        MSGPACK.encode({"a": value})
    assert JSON.decode(JSON.encode({"a": value})) == {"a": value}


def test_msgpack_not_a_number() -> None:
    """MessagePack carries NaN and the infinities, also inside containers."""
    back = MSGPACK.decode(MSGPACK.encode({"a": [nan, inf, -inf, (nan, 1)]}))
    assert isnan(back["a"][0])
    assert back["a"][1:3] == [inf, -inf]
    assert isnan(back["a"][3][0])
    assert isnan(MSGPACK.decode(MSGPACK.encode(nan)))


def test_msgpack_extra_types() -> None:
    """MessagePack also keeps bytes, keys of any hashable type, and extension objects."""
    value = {1: b"x", b"k": None, (1, "a"): True, None: msgspec.msgpack.Ext(5, b"y")}
    assert MSGPACK.decode(MSGPACK.encode(value)) == value


@pytest.mark.parametrize("fold", [0, 1])
def test_msgpack_aware_datetime(fold: int) -> None:
    """An aware datetime comes back as the same instant, also in an hour that repeats."""
    at = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
    back = MSGPACK.decode(MSGPACK.encode([at]))[0]
    assert back.astimezone(UTC) == at.astimezone(UTC)
    other = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert MSGPACK.decode(MSGPACK.encode(other)) == other


def test_msgpack_extension_of_timestamp() -> None:
    """An extension object that would read back as a datetime is refused."""
    with pytest.raises(ValueShapeError, match="`Ext` would read back as `datetime`"):
        MSGPACK.encode([msgspec.msgpack.Ext(-1, b"abcd")])


class Word(str, enum.Enum):  # noqa: UP042 the older spelling is what is stored
    YES = "yes"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("value", "back"),
    [
        ((1, (2, "x")), [1, [2, "x"]]),
        ({"a": ()}, {"a": []}),
        (OrderedDict(a=1), {"a": 1}),
        (defaultdict(int, a=1), {"a": 1}),
        (Counter("aab"), {"a": 2, "b": 1}),
        ([Level.HIGH], [2]),
        ([Word.YES], ["yes"]),
        (type("Numbers", (list,), {})([1]), [1]),
    ],
)
def test_value_of_subclass(name: str, value: Any, back: Any) -> None:
    """A tuple reads back as a list, an instance of a subclass as the equal value of its base."""
    codec = codec_for(name)
    assert identical(codec.decode(codec.encode(value)), back)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("base", [str, int, float])
def test_scalar_of_plain_subclass(name: str, base: type) -> None:
    """A subclass of str, int or float that is no enum has no form."""
    with pytest.raises(ValueShapeError, match=r"\$\[0\]: this `Mine` has no form"):
        codec_for(name).encode([type("Mine", (base,), {})()])


@pytest.mark.parametrize("name", FORMATS)
def test_value_at_depth_limit(name: str) -> None:
    """500 containers are the limit, and what is written at the limit is read back."""
    codec = codec_for(name)
    assert codec.decode(codec.encode(nested(500))) == nested(500)
    mixed: Any = "x"
    for _ in range(250):
        mixed = {"k": [mixed], "text": "[{[{" * 20}
    assert codec.decode(codec.encode(mixed)) == mixed


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("depth", [501, 900, 5_000, 200_000])
def test_value_too_deep(name: str, depth: int) -> None:
    """Deeper values are refused, however deep."""
    with pytest.raises(ValueTooDeepError, match="500 containers"):
        codec_for(name).encode(nested(depth))


def test_msgpack_key_too_deep() -> None:
    """Keys count as well: MessagePack has tuples as keys."""
    key: Any = ()
    for _ in range(499):
        key = (key,)
    with pytest.raises(ValueTooDeepError):
        MSGPACK.encode({key: 1})


@pytest.mark.parametrize("name", FORMATS)
def test_value_with_many_containers(name: str) -> None:
    """Many containers beside each other are no depth."""
    codec = codec_for(name)
    value = [[{"a": []}] for _ in range(2_000)]
    assert codec.decode(codec.encode(value)) == value


@pytest.mark.parametrize("name", FORMATS)
def test_value_containing_itself(name: str) -> None:
    """A value that contains itself is too deep, also next to something unrepresentable."""
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueTooDeepError, match="contains itself"):
        codec_for(name).encode(endless)
    looped: dict[str, Any] = {"bad": object()}
    looped["self"] = looped
    with pytest.raises(ValueShapeError, match=r"\$\.bad"):
        codec_for(name).encode(looped)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="C frames no longer count with Python's")
def test_encode_near_the_stack_limit() -> None:
    """Where the caller's stack leaves too little, the value is refused, not written."""

    def deeper(levels: int) -> bytes:
        return deeper(levels - 1) if levels else JSON.encode(nested(450))

    with pytest.raises(ValueTooDeepError):
        deeper(600)


@pytest.mark.parametrize("name", FORMATS)
def test_decode_too_deep(name: str) -> None:
    """Bytes nested deeper than any decoder goes are a corrupt value, not a crash."""
    deep = b"[" * 100_000 if name == "json" else b"\x91" * 100_000
    with pytest.raises(CorruptValueError, match="too deep"):
        codec_for(name).decode(deep)


def test_shared_part_is_looked_at_once() -> None:
    """A part that stands in several places is no loop, and hides no fault behind it."""
    shared = [1, 2]
    assert JSON.decode(JSON.encode([shared, shared])) == [shared, shared]
    with pytest.raises(ValueShapeError, match=r"\$\[2\]: this `object`"):
        JSON.encode([shared, shared, object()])


def test_long_key_in_path() -> None:
    """A path shows at most 40 characters of a key."""
    with pytest.raises(ValueShapeError) as caught:
        JSON.encode({"k" * 1000: {1}})
    assert caught.value.facts["path"] == "$['" + "k" * 40 + "']"


def test_named_tuple_is_a_record() -> None:
    """A named tuple would lose its names and is refused; it needs a schema."""
    made = namedtuple("made", "a")(1)
    with pytest.raises(ValueShapeError, match="`made` would read back as `list`"):
        JSON.encode(made)
