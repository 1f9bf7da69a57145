"""The container "pack": pages stored once, for many backups."""
