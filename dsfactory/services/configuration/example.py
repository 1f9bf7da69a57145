"""A schema to start from: what nearly every application has to know of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from dsfactory.services.configuration.rules import Rule
from dsfactory.services.configuration.secret import Secret, masking

LARGEST_PORT = 65_535


@dataclass
class ServerSettings:
    """Where the application listens."""

    host: str = "127.0.0.1"
    port: int = 8080
    admin_port: int = 8081


@masking
@dataclass
class AccountSettings:
    """Whom the application is known as elsewhere."""

    user: str = ""
    token: Annotated[str | None, Secret()] = None


@dataclass
class LogSettings:
    """What is logged, and for how long it is kept."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    keep_days: int = 14


@dataclass
class ApplicationSettings:
    """An application that listens somewhere, calls something with a token, and logs."""

    name: str = "application"
    server: ServerSettings = field(default_factory=ServerSettings)
    account: AccountSettings = field(default_factory=AccountSettings)
    log: LogSettings = field(default_factory=LogSettings)
    features: dict[str, bool] = field(default_factory=dict)

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule("a port is 1 to 65535", lambda c: _is_port(c.server.port), "server.port"),
        Rule("a port is 1 to 65535", lambda c: _is_port(c.server.admin_port), "server.admin_port"),
        Rule(
            "the two ports differ",
            lambda c: c.server.port != c.server.admin_port,
            "server.port",
            "server.admin_port",
        ),
        Rule(
            "a token needs a user",
            lambda c: bool(c.account.user) or not c.account.token,
            "account.user",
            "account.token",
        ),
        Rule("logs are kept for a day at least", lambda c: c.log.keep_days >= 1, "log.keep_days"),
    )


def _is_port(port: int) -> bool:
    return 1 <= port <= LARGEST_PORT
