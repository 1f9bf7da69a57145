"""train_dictionary: what it learns, when it says no, and how dictionaries are named."""

from __future__ import annotations

from typing import Any

import pytest
import zstandard
from packing_samples import noise, packer, records

from dsfactory.codecs import Dictionary, train_dictionary
from dsfactory.errors import OptionError


def test_train_from_a_hundred_samples() -> None:
    """A hundred small records suffice for a dictionary that more than halves others like them."""
    dictionary = train_dictionary(records(100))
    assert isinstance(dictionary, Dictionary)
    writer = packer(dictionary)
    writer.use_dictionary(dictionary)
    others = records(100, seed=7)
    assert sum(len(writer.pack(value)[0]) for value in others) < sum(map(len, others)) / 2


@pytest.mark.parametrize("size", [256, 1024, 4096, 16 * 1024])
def test_dictionary_size(size: int) -> None:
    """A dictionary is at most as large as asked for."""
    dictionary = train_dictionary(records(300), size=size)
    assert dictionary is None or len(dictionary.body) <= size


def test_dictionary_size_default() -> None:
    """The default is 16 KiB."""
    dictionary = train_dictionary([noise(300, seed=n) + records(1)[0] for n in range(500)])
    assert dictionary is not None
    assert len(dictionary.body) == 16 * 1024


@pytest.mark.parametrize("size", [255, 0, -1])
def test_dictionary_size_too_small(size: int) -> None:
    """Below 256 bytes zstd makes no dictionaries."""
    with pytest.raises(OptionError, match=f"size is {size}"):
        train_dictionary(records(100), size=size)


@pytest.mark.parametrize(
    "samples",
    [
        [],
        records(1),
        records(31),
        [b""] * 500,
        [*records(31), *[b""] * 100],
        [noise(400, seed=n) for n in range(200)],
        [b"%d" % n for n in range(200)],
        [b"a" * 400] * 200,
    ],
    ids=["none", "one", "31", "empty", "31 and empty", "random", "tiny", "uniform"],
)
def test_train_in_vain(samples: list[bytes]) -> None:
    """Too few samples, and samples that a dictionary does not make smaller, give None."""
    assert train_dictionary(samples) is None


def test_train_where_zstd_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where zstd cannot make a dictionary of the samples, there is none."""

    def give_up(*_: Any, **__: Any) -> None:
        raise zstandard.ZstdError("Src size is incorrect")

    monkeypatch.setattr(zstandard, "train_dictionary", give_up)
    assert train_dictionary(records(100)) is None


def test_dictionary_id() -> None:
    """The id is in zstd's user range, stands in the body, and differs between dictionaries."""
    made = [train_dictionary(records(60, seed=seed)) for seed in range(10)]
    ids = {dictionary.id for dictionary in made if dictionary is not None}
    assert len(ids) == 10
    assert all(32_768 <= number < 2**31 for number in ids)
    for dictionary in made:
        assert dictionary is not None
        assert zstandard.ZstdCompressionDict(dictionary.body).dict_id() == dictionary.id


def test_training_is_repeatable() -> None:
    """The same samples give the same dictionary under the same id."""
    assert train_dictionary(records(100)) == train_dictionary(records(100))
