"""The command line: main.py, a file per command in commands/, and the pieces that they share.

A new command is a file ``commands/<name>.py`` that defines ``command``, and a row in index.py.
"""
