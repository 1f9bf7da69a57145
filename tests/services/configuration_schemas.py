"""The same settings in every form that a schema may have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import attrs
import msgspec
import pydantic

from dsfactory.services.configuration import Secret

Password = Annotated[str, Secret()]


@dataclass
class InnerData:
    password: Password = "hidden"  # noqa: S105
    port: int = 1


@dataclass
class OfDataclass:
    inner: InnerData = field(default_factory=InnerData)
    keys: list[Password] = field(default_factory=list)
    named: dict[str, InnerData] = field(default_factory=dict)
    maybe: Annotated[int, Secret()] | None = None


class InnerStruct(msgspec.Struct):
    password: Password = "hidden"  # noqa: S105
    port: Annotated[int, msgspec.Meta(ge=1)] = 1


class OfStruct(msgspec.Struct):
    inner: InnerStruct = msgspec.field(default_factory=InnerStruct)
    keys: list[Password] = msgspec.field(default_factory=list)
    named: dict[str, InnerStruct] = msgspec.field(default_factory=dict)
    maybe: Annotated[int, Secret()] | None = None


@attrs.define
class InnerAttrs:
    password: Password = "hidden"  # noqa: S105
    port: int = 1


@attrs.define
class OfAttrs:
    inner: InnerAttrs = attrs.field(factory=InnerAttrs)
    keys: list[Password] = attrs.field(factory=list)
    named: dict[str, InnerAttrs] = attrs.field(factory=dict)
    maybe: Annotated[int, Secret()] | None = None


class InnerModel(pydantic.BaseModel):
    password: Password = "hidden"  # noqa: S105
    port: int = 1


class OfModel(pydantic.BaseModel):
    inner: InnerModel = InnerModel()
    keys: list[Password] = []
    named: dict[str, InnerModel] = {}
    maybe: Annotated[int, Secret()] | None = None


class InnerTyped(TypedDict):
    password: Password
    port: int


class OfTypedDict(TypedDict):
    inner: InnerTyped
    keys: list[Password]
    named: dict[str, InnerTyped]
    maybe: Annotated[int, Secret()] | None


@dataclass
class Node:
    """A type inside of itself."""

    token: Password = "hidden"  # noqa: S105
    below: list[Node] = field(default_factory=list)


TYPED_DEFAULTS: OfTypedDict = {
    "inner": {"password": "hidden", "port": 1},
    "keys": [],
    "named": {},
    "maybe": None,
}

FORMS: list[tuple[Any, Any]] = [
    (OfDataclass, None),
    (OfStruct, None),
    (OfAttrs, None),
    (OfModel, None),
    (OfTypedDict, TYPED_DEFAULTS),
]
