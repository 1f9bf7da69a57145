"""Where settings come from before anybody changes them: defaults, then files, then variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from dsfactory.services.configuration import paths
from dsfactory.services.configuration.checked import Checked
from dsfactory.services.configuration.environment import read_environment
from dsfactory.services.configuration.formats import read_file

T = TypeVar("T")


class Composed(NamedTuple, Generic[T]):
    """What the sources say together, and which of them said what."""

    value: T
    plain: Any
    from_files: frozenset[str]
    from_environment: frozenset[str]

    def source(self, steps: paths.Steps, otherwise: str) -> str:
        """Return the last source that named what stands at *steps*."""
        if self._named(self.from_environment, steps):
            return "environment"
        return "file" if self._named(self.from_files, steps) else otherwise

    def _named(self, named: frozenset[str], steps: paths.Steps) -> bool:
        return any(paths.rendered(steps[:end]) in named for end in range(len(steps) + 1))


class Sources(Generic[T]):
    """The defaults, files and environment of one configuration."""

    def __init__(
        self,
        schema: type[T],
        checked: Checked[T],
        *,
        defaults: T | None,
        files: Sequence[str | os.PathLike[str]],
        prefix: str | None,
        environ: Mapping[str, str] | None,
    ) -> None:
        self._schema = schema
        self._checked = checked
        self._defaults = {} if defaults is None else checked.plain(defaults)
        self._files = tuple(Path(file) for file in files)
        self._prefix = prefix
        self._environ = os.environ if environ is None else environ

    @property
    def some(self) -> bool:
        """Whether there is anything beside the defaults."""
        return bool(self._files) or self._prefix is not None

    @property
    def usual(self) -> str:
        """What a change comes from that no source names any more."""
        if self._files:
            return "file"
        return "api" if self._prefix is None else "environment"

    def default(self) -> Composed[T]:
        """Return the defaults alone."""
        return self._composed([], {})

    def compose(self) -> Composed[T]:
        """Read all sources; later files win over earlier ones, the environment over all.

        Raises ConfigurationError, naming file or variable, field, type and rule.
        """
        layers = [read_file(file) for file in self._files]
        environment = (
            {}
            if self._prefix is None
            else read_environment(self._schema, self._prefix, self._environ)
        )
        return self._composed(layers, environment)

    def _composed(self, layers: list[dict[str, Any]], environment: dict[str, Any]) -> Composed[T]:
        plain = self._defaults
        for layer in (*layers, environment):
            plain = paths.merged(plain, layer)
        value = self._checked.shaped(plain)
        return Composed(
            value,
            self._checked.plain(value),
            frozenset().union(*map(_named, layers)),
            _named(environment),
        )


def _named(layer: dict[str, Any]) -> frozenset[str]:
    return frozenset(paths.rendered(steps) for steps, _ in paths.leaves(layer) if steps)
