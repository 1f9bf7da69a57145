"""Preferences may be the fields of any record class: dataclass, Struct, attrs or pydantic."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypedDict

import attrs
import msgspec
import pydantic
import pytest

import dsfactory as ds
from dsfactory.services import UserPreferenceManager

Theme = Literal["light", "dark"]


@dataclass(frozen=True)
class OfDataclass:
    theme: Theme = "light"
    volume: Annotated[int, msgspec.Meta(le=10)] = 5
    tags: list[str] = field(default_factory=list)


class OfStruct(msgspec.Struct, frozen=True):
    theme: Theme = "light"
    volume: Annotated[int, msgspec.Meta(le=10)] = 5
    tags: list[str] = []


@attrs.frozen
class OfAttrs:
    theme: Theme = "light"
    volume: int = attrs.field(default=5, validator=attrs.validators.le(10))
    tags: list[str] = attrs.Factory(list)


class OfModel(pydantic.BaseModel):
    theme: Theme = "light"
    volume: int = pydantic.Field(5, le=10, alias="loudness")
    tags: list[str] = []


@pytest.mark.parametrize("schema", [OfDataclass, OfStruct, OfAttrs, OfModel])
def test_every_form_of_schema(factory: ds.DataStoreFactory, schema: Any) -> None:
    """Defaults are filled, choices kept, and what the schema does not allow is refused by name."""
    users: UserPreferenceManager[Any] = UserPreferenceManager(factory, schema)
    users.set("ada", "theme", "dark")
    assert users.get("ada").volume == 5
    for name, value in (("theme", "red"), ("volume", 11), ("tags", [7]), ("colour", 1)):
        with pytest.raises(ds.PreferenceError, match=name) as caught:
            users.set("ada", name, value)
        assert caught.value.facts["rule"]
    made = users.update("ada", {"volume": 8, "tags": ["a"]})
    assert isinstance(made, schema)
    assert (made.theme, made.volume, made.tags) == ("dark", 8, ["a"])
    assert users.get("ada") == made
    assert users.chosen("ada") == {"theme": "dark", "volume": 8, "tags": ["a"]}
    assert users.reset("ada", "theme", "tags").theme == "light"
    assert users.chosen("ada") == {"volume": 8}


class CheckedModel(pydantic.BaseModel):
    quiet: bool = False
    volume: int = 5

    @pydantic.model_validator(mode="after")
    def fits(self) -> CheckedModel:
        """Quiet means no volume."""
        if self.quiet and self.volume:
            raise ValueError("quiet means volume 0")
        return self


def test_rules_of_a_model(factory: ds.DataStoreFactory) -> None:
    """A model's own validators hold for what is chosen."""
    users = UserPreferenceManager(factory, CheckedModel)
    with pytest.raises(ds.PreferenceError):
        users.set("ada", "quiet", value=True)
    assert users.update("ada", {"quiet": True, "volume": 0}).quiet
    with pytest.raises(ds.PreferenceError):
        users.set("ada", "volume", 3)


class RequiredStruct(msgspec.Struct):
    name: str


class RequiredModel(pydantic.BaseModel):
    name: str


class Renamed(msgspec.Struct, rename="camel"):
    first_name: str = ""


class Typed(TypedDict):
    name: str


@pytest.mark.parametrize("schema", [RequiredStruct, RequiredModel, Renamed, Typed])
def test_forms_that_are_refused(factory: ds.DataStoreFactory, schema: Any) -> None:
    """A preference without a default, or with two names, is refused before there is a store."""
    with pytest.raises(ds.OptionError, match=r"name|no dataclass"):
        UserPreferenceManager(factory, schema)
    assert factory.get_registered_stores() == []
