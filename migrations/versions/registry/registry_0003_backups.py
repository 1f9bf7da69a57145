"""What backups are made of, and what happened to stores.

Revises: registry_0002
"""

from __future__ import annotations

from alembic import op

from dsfactory.upgrade.steps import backups_0003

revision = "registry_0003"
down_revision = "registry_0002"
branch_labels = None
depends_on = None
changes_rows = ("event",)  # the way back drops it


def upgrade() -> None:
    """What backups are made of, and what happened to stores."""
    for statement in backups_0003.upgrade_statements():
        op.execute(statement)


def downgrade() -> None:
    """The way back."""
    for statement in backups_0003.downgrade_statements():
        op.execute(statement)
