"""Point-in-time recovery: what was committed since a backup, as an ordered log."""
