"""One file per command; each defines ``command``, and index.py says when it is imported."""
