"""``dsfactory limits show``: what is allowed, and what is left of it."""

from __future__ import annotations

from pathlib import Path

import click

from dsfactory.cli import pages
from dsfactory.cli.limiters import limit_facts, name_option, saved_limits
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.cli.units import counted, shown_count, shown_duration
from dsfactory.services.limits import KeyStatus


@click.command("show")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@name_option
@root_option
@json_option
def command(*, keys: tuple[str, ...], name: str, root: Path | None, as_json: bool) -> None:
    """Show the limits, and where keys stand.

    Without KEY every key that took something in the last 14 days. Takes no permit.
    """
    with existing_factory(root) as factory, saved_limits(factory, name) as limiter:
        limits, own = limiter.limits(), limiter.keys_with_own_limits()
        found = [limiter.status(key) for key in keys or limiter.keys()]
    if as_json:
        pages.print_json({"limits": limits, "keys_with_own_limits": own, "keys": found})
        return
    console = pages.console()
    console.print(pages.facts(limit_facts(limits)), "")
    if found:
        _print(found, own)
    console.print(counted(len(found), "key", "keys"))


def _print(found: list[KeyStatus], own: list[str]) -> None:
    columns = ("Limit", "Used", "Left", "Whole in")
    listing = pages.table("Key", "Window", *columns, "", numbers=columns)
    for status in found:
        for window, stands in status.windows.items():
            listing.add_row(
                status.key,
                window,
                shown_count(stands.limit),
                shown_count(stands.used),
                shown_count(stands.remaining),
                shown_duration(stands.resets_in_ms) if stands.used else "-",
                "limits of its own" if status.key in own else "",
                style=None if stands.remaining else "yellow",
            )
    pages.console().print(listing, "")
