"""What upgrade, downgrade and revisions share. Imports Alembic: only these commands import it."""
