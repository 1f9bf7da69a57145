"""The parts of scripts/bench/run: who is measured (subjects/), what (measures/), and the report."""
