"""The catalog of backups.

Revises: registry_0001
"""

from __future__ import annotations

from alembic import op

from dsfactory.upgrade.steps import more_0002

revision = "registry_0002"
down_revision = "registry_0001"
branch_labels = None
depends_on = None
changes_rows = ("backup",)  # the way back drops it


def upgrade() -> None:
    """The catalog of backups."""
    for statement in more_0002.registry_upgrade():
        op.execute(statement)


def downgrade() -> None:
    """The way back."""
    for statement in more_0002.registry_downgrade():
        op.execute(statement)
