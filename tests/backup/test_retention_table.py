"""The table of cases: retention_cases.txt says what each is about."""

from __future__ import annotations

import random

import pytest
from retention_samples import Case, cases

from dsfactory.backup import plan_retention

CASES = list(cases())


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_retention_case(case: Case) -> None:
    """What is kept and removed, and why, is what the table says, in any order of the backups."""
    shuffled = random.Random(4).sample(case.backups, len(case.backups))
    for backups in (case.backups, shuffled):
        plan = plan_retention(backups, case.policy, now=case.now)
        assert {kept.backup.id: ", ".join(kept.reasons) for kept in plan.keep} == case.kept
        assert dict(plan.because) == case.removed
        assert {backup.id for backup in plan.remove} == set(case.removed)


def test_retention_table_is_whole() -> None:
    """Every case has backups, and no two have the same title."""
    assert len({case.title for case in CASES}) == len(CASES) > 40
    assert all(case.backups for case in CASES)
