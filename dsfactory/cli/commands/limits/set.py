"""``dsfactory limits set``: change what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from dsfactory.cli import pages
from dsfactory.cli.limiters import existing_limiter, limit_facts, name_option
from dsfactory.cli.opening import existing_factory, json_option, root_option
from dsfactory.services.limits.rules import ALGORITHMS

NO_LIMIT = "none"


def _permits(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> object:
    """Return a number, NO_LIMIT, or None when the option was not given."""
    if value is None or value == NO_LIMIT:
        return value
    try:
        return int(value)
    except ValueError as error:
        raise click.BadParameter("a whole number, or none") from error


@click.command("set")
@click.option("--per-minute", callback=_permits, metavar="N", help='A number, or "none".')
@click.option("--per-hour", callback=_permits, metavar="N", help='A number, or "none".')
@click.option("--per-day", callback=_permits, metavar="N", help='A number, or "none".')
@click.option("--burst", callback=_permits, metavar="N", help='At one moment; or "none".')
@click.option("--safety-margin", type=float, help="The part given out: 0.1 to 1.")
@click.option("--timezone", help="Where fixed hours and days begin.")
@click.option("--algorithm", type=click.Choice(ALGORITHMS))
@click.option(
    "--allow-uneven/--no-allow-uneven",
    default=None,
    help="Let a minute take more than a 24th of a day.",
)
@click.option("--key", help="For this key alone.")
@click.option("--common", is_flag=True, help="With --key: let it have the common limits again.")
@name_option
@root_option
@json_option
def command(
    *,
    key: str | None,
    common: bool,
    name: str,
    root: Path | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Change limits, for all processes and for good.

    Only what is named changes. What was taken stays taken.
    """
    changes = {
        option: None if value == NO_LIMIT else value
        for option, value in given.items()
        if value is not None
    }
    if common and (key is None or changes):
        raise click.UsageError("--common goes with --key, and with no limit.")
    if not common and not changes:
        raise click.UsageError("Name what is to change, such as --per-minute 30.")
    with existing_factory(root) as factory:
        limiter = existing_limiter(factory, name)
        if common and key is not None:
            limiter.remove_limits(key)
        else:
            limiter.update_configuration(key=key, **changes)
        limits = limiter.limits(key)
    if as_json:
        pages.print_json({"key": key, "limits": limits})
    else:
        pages.console().print(pages.facts(limit_facts(limits)))
