"""``dsfactory upgrade``: files to head."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli.opening import existing_root, json_option, root_option


@click.command("upgrade")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Every store, and the registry.")
@click.option(
    "--to",
    default="head",
    metavar="REV",
    show_default=True,
    help="A revision, its number, or how many steps from here, such as +1.",
)
@click.option("--dry-run", is_flag=True, help="Only try it, on copies that are thrown away.")
@click.option("--sql", is_flag=True, help="The same, and print the statements.")
@root_option
@json_option
def command(
    *,
    names: tuple[str, ...],
    everything: bool,
    to: str,
    dry_run: bool,
    sql: bool,
    root: Path | None,
    as_json: bool,
) -> None:
    """Bring the files of stores to the newest schema.

    Each file by itself: a verified copy first, then all steps, the checks after them and the new
    revision in one transaction. A file that fails is as it was, and hinders no other: do it again
    when the reason is mended. Exits with 12 when one failed, and with 0 when every file is at the
    revision that was asked for, or further (with --dry-run: would be).

    --sql shows what the steps do. A value that a step computes stands in it as "?": let this
    command run such steps.
    """
    if bool(names) == everything:
        raise click.UsageError("Give the names of stores, or --all for every store.")
    # Alembic takes half a second: help does without it.
    from dsfactory.cli.schemas.courses import Goal
    from dsfactory.cli.schemas.running import run
    from dsfactory.cli.schemas.targets import Targets

    known = Targets(existing_root(root))
    targets = known.everything() if everything else known.named(names)
    run(targets, Goal(to, tried=dry_run or sql), sql=sql, as_json=as_json)
