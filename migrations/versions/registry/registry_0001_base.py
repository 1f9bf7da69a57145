"""The base of registry files.

Revises: nothing
"""

from __future__ import annotations

from alembic import op

from dsfactory.upgrade.steps import base_0001

revision = "registry_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make everything that the first release's files contain."""
    for statement in base_0001.registry_statements():
        op.execute(statement)


def downgrade() -> None:
    """There is nothing before the base: delete the file instead."""
    raise NotImplementedError("delete the file instead")
