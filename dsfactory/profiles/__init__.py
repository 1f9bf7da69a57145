"""What a store's file contains, as data: features composed into the profile of each kind."""

from dsfactory.profiles.invariants import Invariant, invariants
from dsfactory.profiles.kinds import (
    PROFILES,
    REGISTRY,
    Profile,
    contents,
    ddl,
    kind_of,
    registry_ddl,
    stamp,
)

__all__ = [
    "PROFILES",
    "REGISTRY",
    "Invariant",
    "Profile",
    "contents",
    "ddl",
    "invariants",
    "kind_of",
    "registry_ddl",
    "stamp",
]
