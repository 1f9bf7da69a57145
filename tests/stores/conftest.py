"""The contract's assertions are explained as those of test files are."""

import pytest

pytest.register_assert_rewrite("contract")
