"""``dsfactory revisions``: the lineages."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.opening import existing_root, json_option, root_option
from dsfactory.model import Kind
from dsfactory.upgrading import REGISTRY

KINDS = (REGISTRY, *map(str, Kind))


@click.command("revisions")
@click.argument("kind_or_name", required=False, metavar="[KIND|NAME]")
@root_option
@json_option
def command(kind_or_name: str | None, root: Path | None, as_json: bool) -> None:
    """List the schema revisions of a kind, or where a store stands among them.

    Without either: the revisions of every kind. A kind goes before a store that is called like
    it. Looks only.
    """
    # Alembic takes half a second: help does without it.
    from dsfactory.cli.schemas import lineages
    from dsfactory.cli.schemas.targets import Targets
    from dsfactory.upgrade import lineage_of

    store = None
    if kind_or_name is None or kind_or_name in KINDS:
        shown = [lineage_of(kind) for kind in KINDS if kind_or_name in (None, kind)]
    else:
        (target,) = Targets(existing_root(root)).named([kind_or_name])
        shown, store = lineages.lineages_of(target), lineages.found(target)
    if as_json:
        pages.print_json(lineages.as_object(shown, store))
    else:
        lineages.print_lineages(shown, store)
