"""options.py: each option's check, the combinations, and the way through JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsfactory import options
from dsfactory.errors import OptionError, OptionTypeError
from dsfactory.model import FEATURES, Kind
from dsfactory.options import CHECKS, ONLY, STRUCTURAL, StoreOptions

NAN, INFINITE = float("nan"), float("inf")
DAY = 86_400_000

LEAST = {
    "compression_threshold": 0,
    "max_retries": 0,
    "retry_delay_ms": 0,
    "busy_timeout_ms": 0,
    "max_entries": 1,
    "max_bytes": 1,
    "max_value_bytes": 1,
    "max_versions": 1,
    "max_backups": 1,
    "backup_max_bytes": 1,
    "hot_entries": 0,
    "hot_bytes": 0,
    "max_wal_bytes": 16 * 1024 * 1024,
    "max_series": 1,
}
MOST = {
    "compression_threshold": 2**53,
    "max_retries": 1000,
    "retry_delay_ms": 60_000,
    "busy_timeout_ms": 3_600_000,
    "max_entries": 2**53,
    "max_bytes": 2**53,
    "max_value_bytes": 1_000_000_000 - 4096,
    "max_versions": 2**53,
    "max_backups": 2**53,
    "backup_max_bytes": 2**53,
    "hot_entries": 2**53,
    "hot_bytes": 2**53,
    "max_wal_bytes": 2**53,
    "max_series": 2**53,
}
UNLIMITED = ("max_entries", "max_bytes", "max_versions", "backup_max_bytes")
FLAGS = ("page_checksums", "compression", "auto_cleanup", "backup_compression")
DURATIONS = ("ttl", "backup_retention", "backup_every", "write_window")
CHOICES = {
    "codec": ("json", "msgpack", "raw"),
    "synchronous": ("FULL", "NORMAL"),
    "backup_format": ("full", "pack"),
    "on_corruption": ("raise", "restore"),
    "policy": ("lru", "fifo", "lfu", "sieve", "s3fifo", "none"),
}
ELSEWHERE = {
    "backup_keep",
    "pitr",
    "rollups",
    "write_behind",
}  # test_backup_options.py, tests/backup


def check(name: str, value: Any) -> Any:
    """*value* as a store that has the option *name* would take it."""
    kind = ONLY[name][0] if name in ONLY else Kind.CUSTOM
    return options.checked(kind, {name: value})[name]


def refusal(name: str, value: Any, error: type[OptionError] = OptionError) -> OptionError:
    """The error for *value*; it has to name the option, the value and what is allowed."""
    with pytest.raises(error, match="allowed") as refused:
        check(name, value)
    assert name in str(refused.value)
    assert repr(value) in str(refused.value)
    assert refused.value.facts["option"] == name
    return refused.value


def test_every_option_is_listed() -> None:
    """Every option has a check, and this file knows of every option."""
    known = {*LEAST, *FLAGS, *DURATIONS, *CHOICES, "features", "migrations"} | ELSEWHERE
    assert set(CHECKS) == set(StoreOptions._fields) == known
    assert set(CHECKS) >= STRUCTURAL


@pytest.mark.parametrize("name", LEAST)
def test_integer_within_limits(name: str) -> None:
    """An integer option takes its least and its most; retries may be 0."""
    assert check(name, LEAST[name]) == LEAST[name]
    assert check(name, MOST[name]) == MOST[name]


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", [-1, -(2**70)])
def test_integer_negative(name: str, value: int) -> None:
    """Negative numbers are refused with the least that is allowed."""
    assert f"at least {LEAST[name]}" in str(refusal(name, value))


@pytest.mark.parametrize("name", [name for name, least in LEAST.items() if least])
def test_integer_zero(name: str) -> None:
    """A limit of 0 is refused: max_entries=0 would be a store that holds nothing."""
    assert not isinstance(refusal(name, 0), OptionTypeError)


@pytest.mark.parametrize("name", LEAST)
def test_integer_too_large(name: str) -> None:
    """A number over the most is refused with the most that is allowed."""
    assert str(MOST[name]) in str(refusal(name, MOST[name] + 1))


@pytest.mark.parametrize("name", LEAST)
@pytest.mark.parametrize("value", [True, False, 1.0, NAN, INFINITE, -INFINITE, "5", b"5", [5]])
def test_integer_of_wrong_type(name: str, value: Any) -> None:
    """bool is no int here, and neither are floats, NaN, infinities and text."""
    assert isinstance(refusal(name, value, OptionTypeError), TypeError)


@pytest.mark.parametrize("name", LEAST)
def test_integer_none(name: str) -> None:
    """None means "no limit" where there may be none, and is refused elsewhere."""
    if name in UNLIMITED:
        assert check(name, None) is None
    else:
        refusal(name, None, OptionTypeError)


@pytest.mark.parametrize("name", ["max_entries", "max_retries"])
def test_integer_beyond_printing(name: str) -> None:
    """An int with more digits than Python prints gets the same typed error."""
    with pytest.raises(OptionError, match=name):
        check(name, 10**5_000)


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize("value", [0, 1, None, "yes", "True", NAN])
def test_flag_of_wrong_type(name: str, value: Any) -> None:
    """A flag is True or False, and nothing that merely looks like it."""
    assert "True or False" in str(refusal(name, value, OptionTypeError))


@pytest.mark.parametrize("name", FLAGS)
def test_flag(name: str) -> None:
    """A flag takes True and False."""
    assert check(name, True) is True
    assert check(name, False) is False


@pytest.mark.parametrize("name", CHOICES)
def test_choice(name: str) -> None:
    """A choice takes each of its words, in any case, and keeps its own spelling."""
    for word in CHOICES[name]:
        assert [check(name, word.upper()), check(name, word.lower())] == [word, word]


@pytest.mark.parametrize("name", CHOICES)
def test_choice_refused(name: str) -> None:
    """Another word is refused with all that are allowed; another type by type."""
    for word in CHOICES[name]:
        assert repr(word) in str(refusal(name, "pickle"))
    refusal(name, "")
    for value in (None, 1, b"json", ["json"]):
        refusal(name, value, OptionTypeError)


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize(
    ("value", "milliseconds"), [(1, 1), ("7d", 7 * DAY), (timedelta(hours=1), 3_600_000)]
)
def test_duration(name: str, value: Any, milliseconds: int) -> None:
    """A duration is kept in milliseconds."""
    assert check(name, value) == milliseconds


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", [0, -1, "0d", "soon", "", timedelta(0), timedelta(-1), 10**15])
def test_duration_refused(name: str, value: Any) -> None:
    """Zero, negative, unreadable and endless durations are refused."""
    refusal(name, value)


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", [True, 1.0, NAN, INFINITE, b"1d", ["1d"]])
def test_duration_of_wrong_type(name: str, value: Any) -> None:
    """A duration is no float (NaN and infinities neither), bool or bytes."""
    refusal(name, value, OptionTypeError)


def test_duration_none() -> None:
    """ttl=None means that entries do not expire; a retention there always is."""
    assert check("ttl", None) is None
    refusal("backup_retention", None, OptionTypeError)


@pytest.mark.parametrize("kind", [set, frozenset, list, tuple])
def test_features(kind: type) -> None:
    """Features come as any collection and are kept sorted, each once."""
    assert check("features", kind(["tags", "expiry", "tags"])) == ("expiry", "tags")
    assert check("features", kind([])) == ()


@pytest.mark.parametrize("value", ["expiry", None, 5, {"expiry": True}, b"tags"])
def test_features_of_wrong_type(value: Any) -> None:
    """One text is no collection of features; a dict is none either."""
    refusal("features", value, OptionTypeError)


@pytest.mark.parametrize("unknown", ["Expiry", "lru", "", None, 5, ["expiry"]])
def test_features_unknown(unknown: Any) -> None:
    """A feature that does not exist is refused together with the list of those that do."""
    with pytest.raises(OptionError) as refused:
        check("features", ["tags", unknown])
    assert repr(unknown) in str(refused.value)
    assert all(feature in str(refused.value) for feature in FEATURES)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.CUSTOM])
def test_features_of_a_fixed_kind(kind: Kind) -> None:
    """Only custom stores choose their features; the others say what they always have."""
    with pytest.raises(OptionError, match=f"a {kind} store always has") as refused:
        options.checked(kind, {"features": {"expiry"}})
    for feature in options.defaults(kind).features:
        assert feature in str(refused.value)


@pytest.mark.parametrize("spell", [str, Path, lambda folder: folder / ".." / folder.name])
def test_folder(tmp_path: Path, spell: Callable[[Path], Any]) -> None:
    """The folder of an application's migrations is kept as an absolute path, or None."""
    assert check("migrations", spell(tmp_path)) == str(tmp_path.resolve())
    assert check("migrations", None) is None


@pytest.mark.parametrize("value", ["nowhere", __file__, "a\0b", "x" * 5000])
def test_folder_missing(value: str) -> None:
    """A folder that is not there is refused, whatever keeps it from being there."""
    with pytest.raises(OptionError, match=r"migrations=.*allowed: an existing folder"):
        check("migrations", value)


@pytest.mark.parametrize("value", [5, True, b"folder", ["folder"], NAN])
def test_folder_of_wrong_type(value: Any) -> None:
    """A folder is a path."""
    refusal("migrations", value, OptionTypeError)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.CUSTOM])
def test_folder_of_a_fixed_kind(kind: Kind, tmp_path: Path) -> None:
    """Only custom stores have tables of the application."""
    with pytest.raises(OptionError, match="migrations is for custom stores"):
        options.checked(kind, {"migrations": tmp_path})


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", ["max_entry", "TTL", "", "schema", "ttl_ms"])
def test_unknown_option(kind: Kind, name: str) -> None:
    """A name that is no option is refused together with the list of all that are."""
    with pytest.raises(OptionError, match="Unknown option") as refused:
        options.checked(kind, {"max_retries": 1, name: 1})
    assert refused.value.facts["option"] == name
    assert all(known in str(refused.value) for known in CHECKS)


@pytest.mark.parametrize(
    ("kind", "chosen", "option", "feature"),
    [
        (Kind.CONFIG, {"ttl": DAY}, "ttl", "expiry"),
        (Kind.CUSTOM, {"ttl": DAY, "features": ("history",)}, "ttl", "expiry"),
        (Kind.CACHE, {"max_versions": 3}, "max_versions", "history"),
        (Kind.METRICS, {"max_versions": 3}, "max_versions", "history"),
        (Kind.STATE, {"max_versions": 3}, "max_versions", "history"),
        (Kind.CUSTOM, {"max_versions": 3, "features": ("expiry",)}, "max_versions", "history"),
    ],
)
def test_option_without_its_feature(
    kind: Kind, chosen: dict[str, Any], option: str, feature: str
) -> None:
    """An option that could do nothing is refused, with the feature that it needs."""
    with pytest.raises(OptionError, match=f"{option} needs the feature '{feature}'") as refused:
        options.combined(options.defaults(kind), chosen)
    assert refused.value.facts["option"] == option


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        (Kind.CONFIG, {"ttl": None, "max_versions": 3}),
        (Kind.METRICS, {"ttl": None}),
        (Kind.CUSTOM, {"ttl": DAY}),
        (Kind.CUSTOM, {"max_versions": 1, "features": ("history",)}),
    ],
)
def test_option_with_its_feature(kind: Kind, chosen: dict[str, Any]) -> None:
    """Where the feature is there, and for None, the combination is taken as it is."""
    combined = options.combined(options.defaults(kind), chosen)
    assert {name: getattr(combined, name) for name in chosen} == chosen


def test_compression_follows_its_feature() -> None:
    """A custom store without the feature does not compress, whatever the default says."""
    chosen = {"features": ("expiry",)}
    assert options.defaults(Kind.CUSTOM).compression is True
    assert options.combined(options.defaults(Kind.CUSTOM), chosen).compression is False


def test_compression_without_its_feature() -> None:
    """Compression that was asked for by name cannot be given without the feature."""
    chosen = {"features": ("expiry",), "compression": True}
    with pytest.raises(OptionError, match="compression needs the feature 'compression'"):
        options.combined(options.defaults(Kind.CUSTOM), chosen)


@pytest.mark.parametrize("kind", Kind)
def test_options_through_json(kind: Kind) -> None:
    """What the registry writes of the options is what it reads back."""
    made = options.combined(options.defaults(kind), {"max_retries": 0, "max_bytes": 2**53})
    assert options.from_record(json.loads(json.dumps(options.as_record(made)))) == made


@given(
    st.fixed_dictionaries(
        {},
        optional={n: st.integers(LEAST[n], MOST[n]) for n in LEAST if n not in ONLY}
        | dict.fromkeys(FLAGS, st.booleans())
        | {name: st.sampled_from(words) for name, words in CHOICES.items()}
        | {n: st.integers(1, 10**12) for n in DURATIONS if n not in ONLY}
        | {"features": st.sets(st.sampled_from(sorted(FEATURES)))},
    )
)
def test_any_options_through_json(overrides: dict[str, Any]) -> None:
    """Whatever is allowed is either refused as a combination or survives the registry."""
    checked = options.checked(Kind.CUSTOM, overrides)
    try:
        made = options.combined(options.defaults(Kind.CUSTOM), checked)
    except OptionError:
        return
    assert options.from_record(json.loads(json.dumps(options.as_record(made)))) == made


def test_options_of_another_release() -> None:
    """Names that a later release wrote are passed over; those it did not know take defaults."""
    record = options.as_record(options.defaults(Kind.CACHE)) | {"warp": 9}
    del record["busy_timeout_ms"]
    assert options.from_record(record) == options.defaults(Kind.CACHE)
    assert options.from_record({}) == StoreOptions()
