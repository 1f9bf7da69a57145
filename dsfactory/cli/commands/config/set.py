"""``dsfactory config set``: one setting changed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from dsfactory.cli.configurations import changing_options, managed, print_version
from dsfactory.cli.opening import json_option, root_option


@click.command("set")
@click.argument("name")
@click.argument("path")
@click.argument("value", default="-")
@changing_options
@root_option
@json_option
def command(
    *,
    name: str,
    path: str,
    value: str,
    schema: str | None,
    who: str | None,
    why: str | None,
    root: Path | None,
    as_json: bool,
) -> None:
    """Change one setting.

    VALUE is a number, true or false, null, text, or JSON for lists and sections, as the
    schema asks for. It is saved as a new version. Without VALUE, or with "-", it is read from
    standard input: other users of the machine see what stands on a command line.
    """
    with managed(root, name, schema) as manager:
        given = manager.spelt(path, _read() if value == "-" else value)
        version = manager.update(path, given, who=who, reason=why, source="command")
    print_version(name, version, as_json=as_json)


def _read() -> str:
    return sys.stdin.buffer.read().decode(errors="surrogateescape").removesuffix("\n")
