"""Small records such as a store holds many of."""

from __future__ import annotations

import random
from typing import Any

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]


def record(number: int) -> dict[str, Any]:
    """A small record, alike to others in its keys."""
    chance = random.Random(number)
    return {
        "customer": f"customer-{number}",
        "address": {"street": f"{chance.choice(WORDS)} street", "number": chance.randrange(200)},
        "status": chance.choice(["active", "inactive"]),
        "balance_in_cents": chance.randrange(100_000),
        "labels": [chance.choice(WORDS), chance.choice(WORDS)],
    }
