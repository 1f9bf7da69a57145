"""YAML, read safely: no tags that make objects, no anchors, no name twice."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Safe, and free of what makes a small file a huge value."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """As PyYAML does, but refuse an alias: a few of them make a value of any size."""
        if self.check_event(yaml.events.AliasEvent):
            raise ValueError("an alias")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """As PyYAML does, but refuse a name that stands twice or is no text."""
        made = super().construct_mapping(node, deep=deep)
        if len(made) != len(node.value) or not all(isinstance(name, str) for name in made):
            raise ValueError("a name that stands twice or is no text")
        return made


def read(text: str) -> Any:
    """Return what *text* holds; raise ValueError when it is no such YAML."""
    try:
        loader = _Loader(text)  # which refuses control characters
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        found = ValueError("no YAML")
        found.lineno = mark.line + 1 if mark else None  # type: ignore[attr-defined]
        raise found from None


def write(plain: dict[str, Any]) -> str:
    """Return *plain* as YAML."""
    text = _dumped(plain, allow_unicode=True)
    try:
        same = read(text) == plain
    except ValueError:
        same = False
    # PyYAML 6 writes a next-line character (U+0085) so that it reads back as a space.
    return text if same else _dumped(plain, allow_unicode=False)


def _dumped(plain: dict[str, Any], *, allow_unicode: bool) -> str:
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=allow_unicode)
    return text
