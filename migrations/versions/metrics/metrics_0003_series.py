"""Numeric series.

Revises: metrics_0002
"""

from __future__ import annotations

from alembic import op

from dsfactory.upgrade.steps import series_0003

revision = "metrics_0003"
down_revision = "metrics_0002"
branch_labels = None
depends_on = None
changes_rows = series_0003.TABLES  # the way back drops them


def upgrade() -> None:
    """Numeric series."""
    for statement in series_0003.upgrade_statements():
        op.execute(statement)


def downgrade() -> None:
    """The way back: all series are lost."""
    for statement in series_0003.downgrade_statements():
        op.execute(statement)
