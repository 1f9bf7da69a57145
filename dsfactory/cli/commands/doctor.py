"""``dsfactory doctor``: what about this machine and this directory is not as it should be."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.doctoring.finding import GOOD, MEND, Finding
from dsfactory.cli.opening import existing_root, json_option, root_option

TO_MEND = 1
STYLES = {"good": "green", "note": "yellow", "MEND": "bold red"}


@click.command("doctor")
@root_option
@json_option
def command(root: Path | None, as_json: bool) -> None:
    """Look for what goes wrong around stores, and say what to do.

    SQLite and a second library of it, the file system, permissions, space, logs and who keeps
    them, schemas, backups, leftovers. Changes nothing. Exits with 1 when something has to be
    done. Whether files are sound, `dsfactory health` asks: it reads every page.
    """
    from dsfactory.cli.doctoring.examination import examination

    found = list(examination(existing_root(root)))
    ill = [one for one in found if one.verdict == MEND]
    if as_json:
        pages.print_json({"well": not ill, "checks": found})
    else:
        _print(found)
    if ill:
        sys.exit(TO_MEND)


def _print(found: Sequence[Finding]) -> None:
    console = pages.console()
    listing = pages.table("Check", "", "Of", "Found")
    for one in found:
        listing.add_row(
            one.check, pages.styled(one.verdict, STYLES[one.verdict]), one.subject, one.found
        )
    console.print(listing)
    for one in found:
        if one.verdict != GOOD and one.todo:
            style = STYLES[one.verdict]
            console.print(f"{one.subject}: {one.found}: {one.todo}", style=style, soft_wrap=True)
