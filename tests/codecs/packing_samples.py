"""Small records such as a store holds many of, and packers for them."""

from __future__ import annotations

import random

import msgspec

from dsfactory.codecs import Dictionary, Packer, train_dictionary

MAX_BYTES = 1_000_000
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "mu",
]


def records(count: int, *, fields: int = 8, seed: int = 1) -> list[bytes]:
    """*count* JSON records, alike in their keys; 300 bytes each with 8 fields."""
    chance = random.Random(seed)
    return [msgspec.json.encode(_record(chance, number, fields)) for number in range(count)]


def _record(chance: random.Random, number: int, fields: int) -> dict[str, object]:
    named = {f"field_{word}": chance.choice(WORDS) * 2 for word in WORDS[:fields]}
    return {"id": number, "user": f"user{chance.randrange(9999)}", "active": number % 2, **named}


def noise(size: int, *, seed: int = 1) -> bytes:
    """*size* bytes that nothing compresses."""
    return random.Random(seed).randbytes(size)


def trained(*, seed: int = 1) -> Dictionary:
    """A dictionary for ``records``."""
    dictionary = train_dictionary(records(200, seed=seed))
    assert dictionary is not None
    return dictionary


def packer(
    *known: Dictionary, threshold: int | None = 256, level: int = 3, max_bytes: int = MAX_BYTES
) -> Packer:
    """A packer that finds the *known* dictionaries and writes without one."""
    bodies = {dictionary.id: dictionary.body for dictionary in known}
    return Packer(threshold=threshold, level=level, max_bytes=max_bytes, find_dictionary=bodies.get)
