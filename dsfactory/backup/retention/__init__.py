"""Which backups are kept, and removing the others."""
