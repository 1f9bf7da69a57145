"""The application's own: probes that are asked, and hooks that are told of alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dsfactory.model import Probe
from dsfactory.services.monitoring.readings import Alert

if TYPE_CHECKING:
    from logging import Logger

Ask = Callable[[], Probe | bool]
AlertHook = Callable[[Alert], object]


class Probes:
    """Probes by name, asked in the order in which they came."""

    def __init__(self) -> None:
        self._asked: dict[str, Ask] = {}

    def add(self, name: str, ask: Ask) -> None:
        """Add a probe, or put it in the stead of one."""
        self._asked[name] = ask

    def remove(self, name: str) -> bool:
        """Remove a probe; return whether there was one."""
        return self._asked.pop(name, None) is not None

    def ask(self) -> Iterator[Probe]:
        """Yield each one's answer under its own name."""
        for name, ask in list(self._asked.items()):
            yield _answer(name, ask)


def _answer(name: str, ask: Ask) -> Probe:
    try:
        said: object = ask()
    except Exception as error:  # noqa: BLE001 -- the application's own: a bad answer, and logged
        _log().exception("the probe %s failed", name)
        return Probe(name, ok=False, detail=f"raised {type(error).__name__}")
    if isinstance(said, Probe):
        return Probe(name, ok=said.ok, detail=said.detail)
    if isinstance(said, bool):
        return Probe(name, ok=said, detail="well" if said else "not well")
    return Probe(name, ok=False, detail=f"answered {type(said).__name__}, not a bool or a Probe")


class Listeners:
    """Who is told of alerts."""

    def __init__(self) -> None:
        self._hooks: list[AlertHook] = []

    def add(self, hook: AlertHook) -> Callable[[], None]:
        """Tell *hook* from now on; return what ends that."""
        self._hooks.append(hook)

        def end() -> None:
            if hook in self._hooks:
                self._hooks.remove(hook)

        return end

    def tell(self, alert: Alert) -> None:
        """Tell everybody; one that fails is logged and hinders no other."""
        for hook in tuple(self._hooks):
            try:
                hook(alert)
            except Exception:  # noqa: BLE001 -- the application's own: others are told as well
                _log().exception("a hook failed that was told of %s", alert.rule)


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.services.monitoring")
