"""The README's examples are programs that run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


def test_examples_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every Python block runs as it stands, in the order of the page."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    namespace: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 -- our own page
    assert capsys.readouterr().out.startswith("1\n")
    assert len(blocks) >= 10


def test_page_ends_with_changes() -> None:
    """The last section says what changed."""
    assert re.findall(r"^## (.*)$", README.read_text(), re.MULTILINE)[-1] == "Changes"
