"""Runs the statements that it reads, one a line, on a connection of its own; see Rival."""

from __future__ import annotations

import json
import sys

import apsw

if __name__ == "__main__":
    connection = apsw.Connection(sys.argv[1], flags=apsw.SQLITE_OPEN_READWRITE)
    for line in sys.stdin:
        answer: object
        try:
            answer = connection.execute(line).fetchall()
        except apsw.Error as error:
            answer = type(error).__name__
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
