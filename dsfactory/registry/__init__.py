"""Which stores exist, in the metadata database."""

from dsfactory.registry.catalog import Catalog, Marked
from dsfactory.registry.registry import NewStore, Registry

__all__ = ["Catalog", "Marked", "NewStore", "Registry"]
