"""Leases, more to evict by, and where a change came from.

Revises: custom_0001
"""

from __future__ import annotations

from alembic import op

from dsfactory.upgrade.steps import more_0002
from dsfactory.upgrade.steps.features import features_of

revision = "custom_0002"
down_revision = "custom_0001"
branch_labels = None
depends_on = None
changes_rows = ("lease",)  # the way back drops it


def upgrade() -> None:
    """Leases, more to evict by, and where a change came from."""
    for statement in more_0002.upgrade_statements(features_of(op, "custom")):
        op.execute(statement)


def downgrade() -> None:
    """The way back."""
    for statement in more_0002.downgrade_statements(features_of(op, "custom")):
        op.execute(statement)
