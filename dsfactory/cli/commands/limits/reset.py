"""``dsfactory limits reset``: forget what was taken."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.limiters import existing_limiter, name_option
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted


@click.command("reset")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--all", "everything", is_flag=True, help="Every key.")
@name_option
@root_option
@json_option
def command(
    *, keys: tuple[str, ...], everything: bool, name: str, root: Path | None, as_json: bool
) -> None:
    """Forget what keys have taken, so that they have all of it again.

    Limits stay as they are.
    """
    if bool(keys) == everything:
        raise click.UsageError("Give keys, or --all for every key.")
    with existing_factory(root) as factory:
        limiter = existing_limiter(factory, name)
        count = sum(limiter.reset(key) for key in keys or (None,))
    if as_json:
        pages.print_json({"reset": count})
    else:
        pages.console().print(f"{counted(count, 'key', 'keys')} reset")
