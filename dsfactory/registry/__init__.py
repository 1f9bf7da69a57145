"""Which stores exist, in the metadata database."""

from dsfactory.registry.registry import NewStore, Registry

__all__ = ["NewStore", "Registry"]
