"""Prints what codecs cost: PYTHONPATH=. python tests/codecs/codec_timings.py."""
# ruff: noqa: T201

from __future__ import annotations

import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import zstandard
from packing_samples import records, trained

from dsfactory.codecs import Packer, codec_for

Fields = dict[str, str]


@dataclass
class Plain:
    id: int
    user: str
    score: float
    fields: Fields


class Struct(msgspec.Struct):
    id: int
    user: str
    score: float
    fields: Fields


class Model(pydantic.BaseModel):
    id: int
    user: str
    score: float
    fields: Fields


def micros(call: Callable[[], object]) -> float:
    """The fastest of seven runs, in microseconds a call."""
    call()
    number = 200 if timeit.timeit(call, number=10) > 0.0003 else 5000
    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6


def record(fields: int) -> dict[str, Any]:
    named = {f"field_{n}": "some words of text, twenty" for n in range(fields)}
    return {"id": 123456, "user": "user4711", "score": 0.125, "fields": named}


def print_codecs() -> None:
    for name in ("json", "msgpack"):
        for fields in (1, 10):
            print_codec(name, None, record(fields))
            for schema in (Plain, Struct, Model):
                print_codec(name, schema, schema(**record(fields)))
        print_codec(name, None, [record(8) for _ in range(60)])
        for schema in (Plain, Struct, Model):
            print_codec(name, list[schema], [schema(**record(8)) for _ in range(60)])  # type: ignore[valid-type]


def print_codec(name: str, schema: Any, value: Any) -> None:
    codec = codec_for(name, schema)
    encoded = codec.encode(value)
    title = "none" if schema is None else str(schema).rpartition(".")[2].strip("'>]")
    print(
        f"{name:8}{title:8}{len(encoded):6} B   encode and verify "
        f"{micros(lambda: codec.encode(value)):7.2f} us   decode "
        f"{micros(lambda: codec.decode(encoded)):7.2f} us"
    )


def print_packing() -> None:
    dictionary = trained()
    for with_dictionary in (True, False):
        packer = Packer(threshold=64, max_bytes=2**26, find_dictionary=lambda _: None)
        packer.use_dictionary(dictionary if with_dictionary else None)
        for value in (records(1, fields=2)[0], records(1, fields=10)[0], b"".join(records(65))):
            stored, size = packer.pack(value)
            unpack = micros(lambda: packer.unpack(stored, size)) if size else 0.0  # noqa: B023
            print(
                f"dictionary {with_dictionary!s:6}{len(value):6} B -> {len(stored):5} B   pack "
                f"{micros(lambda: packer.pack(value)):6.2f} us   unpack {unpack:6.2f} us"  # noqa: B023
            )


def print_dictionary_by_size() -> None:
    shared = zstandard.ZstdCompressionDict(trained().body)
    with_it = zstandard.ZstdCompressor(level=3, dict_data=shared, write_checksum=True)
    alone = zstandard.ZstdCompressor(level=3, write_checksum=True)
    large = b"\n".join(records(6000, seed=3))
    for size in (32, 48, 64, 96, 256, 2**10, 2**12, 2**13, 2**14, 2**15, 2**16, 2**18):
        value = large[:size]
        lengths = [len(each.compress(value)) for each in (with_it, alone)]
        print(f"{size:8} B: {lengths[0]:7} with the dictionary, {lengths[1]:7} without")


if __name__ == "__main__":
    print_codecs()
    print_packing()
    print_dictionary_by_size()
