"""What upgrade and downgrade have in common: do it or try it, print it, and exit."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from dsfactory.cli import pages
from dsfactory.cli.schemas import reports
from dsfactory.cli.schemas.courses import Goal
from dsfactory.cli.schemas.walks import walked
from dsfactory.upgrade import Target


def run(targets: Sequence[Target], goal: Goal, *, sql: bool, as_json: bool) -> None:
    """Bring *targets* to *goal* and report in the form that was chosen; exit with the code."""
    walks = walked(targets, goal)
    if as_json:
        pages.print_json(reports.as_object(walks))
    elif sql:
        reports.print_sql(walks)
    else:
        reports.print_report(walks)
    sys.exit(reports.exit_code(walks))
