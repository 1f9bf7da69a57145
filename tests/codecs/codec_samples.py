"""Types and values that several test files of codecs/ share."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic

FORMATS = ("json", "msgpack")

# Appears in values that are refused or damaged; no message may show it.
PRIVATE = "hunter2"


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclass
class Server:
    host: str
    port: int
    load: float = 0.0
    extra: Any = None


@dataclass
class Config:
    name: str
    servers: list[Server] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    color: Color = Color.RED


@dataclass
class BiggerServer(Server):
    rack: str = "r1"


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)


@dataclass
class Everything:
    at: datetime
    day: date
    took: timedelta
    ident: UUID
    price: Decimal
    blob: bytes
    tags: set[str]
    pair: tuple[int, str]
    level: Level
    maybe: int | None = None


class Point(msgspec.Struct):
    x: int
    y: float = 0.0


class Circle(msgspec.Struct, tag=True):
    radius: int


class Square(msgspec.Struct, tag=True):
    side: int


class Settings(TypedDict):
    theme: str
    size: NotRequired[int]


class Pair(NamedTuple):
    left: int
    right: str


@attrs.define
class Account:
    owner: str
    balance: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    _cache: int = 0


class Address(pydantic.BaseModel):
    street: str
    zip_code: str = pydantic.Field(alias="zipCode", default="0")


class Person(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(populate_by_name=True)

    name: str
    age: int = pydantic.Field(ge=0, default=0)
    born: datetime | None = None
    homes: list[Address] = []
    scores: dict[int, float] = {}
    tags: set[str] = set()


def everything() -> Everything:
    """One value of each type that JSON has no form of its own for."""
    return Everything(
        at=datetime(2024, 2, 29, 12, 30, 15, 250, tzinfo=UTC),
        day=date(2024, 2, 29),
        took=timedelta(days=1, microseconds=5),
        ident=UUID(int=7),
        price=Decimal("10.50"),
        blob=b"\x00\xff",
        tags={"a", "b"},
        pair=(1, "one"),
        level=Level.HIGH,
    )


def nested(depth: int) -> list[Any]:
    """A list of *depth* containers, one in the other."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value
