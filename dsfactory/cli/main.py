"""The ``dsfactory`` command. Imports click and no more: see lazy.py."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from dsfactory import __version__
from dsfactory.cli.boundary import exit_code, message
from dsfactory.cli.index import COMMANDS
from dsfactory.cli.lazy import LazyGroup

EPILOG = """\b
The directory of the stores is --root, else DSFACTORY_ROOT, else the user's
data directory. Every command takes --json for programs. Values are shown only
by commands that are asked for them, with what is named like a secret masked
(--reveal). Keys: user:7 is text, int:7 and hex:00ff say what they are.

\b
Exit codes:
   0  done                             7  busy: somebody else writes
   1  something has to be mended       8  the disk or the file system
   2  asked for what is not allowed    9  a file is not what it should be
   3  a value was refused             10  used at the wrong moment
   4  what was asked for is absent    11  SQLite or Python is not fit
   5  a conflict                      12  an upgrade failed and was undone
   6  a store is full                 13  a backup
  14  a service refused               70  a bug: please report it
"""


@click.command(
    cls=LazyGroup,
    package="dsfactory.cli.commands",
    index=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
@click.version_option(__version__, prog_name="dsfactory", message="%(prog)s %(version)s")
def dsfactory() -> None:
    """Durable, typed stores on SQLite: look at them and look after them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that *arguments* (sys.argv without them) ask for, and exit."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that lacks a character shows "?" instead of a traceback.
            stream.reconfigure(errors="replace")
    try:
        dsfactory.main(args=arguments, prog_name="dsfactory")
    except Exception as error:  # noqa: BLE001 - the one boundary: told to the user, bugs logged
        click.echo(f"dsfactory: {message(error)}", err=True)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
