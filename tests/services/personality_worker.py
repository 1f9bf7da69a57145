"""Adds notes until it is killed, and says each when it was acknowledged; for test_personality."""

from __future__ import annotations

import itertools
import os
import sys

import dsfactory as ds
from dsfactory.services import PersonalityManager

if __name__ == "__main__":
    manager = PersonalityManager(ds.DataStoreFactory(sys.argv[1], maintenance="manual"))
    for number in itertools.count():
        manager.add("ann", str(number))
        os.write(1, b"\n")  # one write(2): whole or not at all
