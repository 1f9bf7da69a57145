"""Which features the file in hand has: what a step has to change depends on it."""

from __future__ import annotations

from types import ModuleType

from dsfactory.model import FEATURES, Kind
from dsfactory.options import BY_KIND

# A table that only stores with the feature have; expiry has none of its own.
SIGNS = {
    "access": "access",
    "compression": "dictionary",
    "history": "history",
    "series": "block",
    "tags": "tag",
}
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"


def features_of(op: ModuleType, kind: str) -> frozenset[str]:
    """Return the features of the file that *op* migrates.

    Before the base there is nothing to look at: then those of the kind, and all for custom files.
    """
    names = {row[0] for row in op.get_bind().exec_driver_sql(TABLES)}
    if "entry" in names:
        return frozenset(feature for feature, table in SIGNS.items() if table in names)
    if kind == Kind.CUSTOM:
        return FEATURES
    return frozenset(BY_KIND[Kind(kind)]["features"])
