"""``dsfactory downgrade``: files back to an earlier revision."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli.opening import existing_root, json_option, root_option


@click.command("downgrade")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--to",
    required=True,
    metavar="REV",
    help="A revision, its number, or how many steps from here: -1 is one back.",
)
@click.option("--dry-run", is_flag=True, help="Only try it, on copies that are thrown away.")
@click.option("--sql", is_flag=True, help="The same, and print the statements.")
@root_option
@json_option
def command(
    *,
    names: tuple[str, ...],
    to: str,
    dry_run: bool,
    sql: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Bring stores back to an earlier schema revision.

    For going back to an earlier release: what only newer schemas can hold is lost, except in the
    copy from before. No application may have the stores open. Exits as `dsfactory upgrade` does.
    """
    # Alembic takes half a second: help does without it.
    from dsfactory.cli.schemas.courses import Goal
    from dsfactory.cli.schemas.running import run
    from dsfactory.cli.schemas.targets import Targets

    targets = Targets(existing_root(root)).named(names)
    run(targets, Goal(to, down=True, tried=dry_run or sql), sql=sql, as_json=as_json)
