"""What a series may be called: its metric's name and its labels, in one canonical form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import NamedTuple

from dsfactory.errors import LabelError, SeriesNameError, shown

MAX_LABELS = 30
MAX_LABEL_BYTES = 1024

# Those of Prometheus' data model, so that every series can be exported under its own name.
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]{0,254}", re.ASCII)
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
NAME_ALLOWED = "a letter, underscore or colon, then up to 254 letters, digits, underscores, colons"
LABEL_ALLOWED = (
    "a letter or underscore, then up to 127 letters, digits, underscores, and no leading '__'"
)

TYPES = ("unknown", "counter", "gauge", "histogram")


class Identity(NamedTuple):
    """What makes a series this one: two are the same when both fields are equal."""

    name: str
    labels: tuple[tuple[str, str], ...]
    """Sorted by name, none empty: an empty label is the same as none."""

    @property
    def text(self) -> str:
        """The labels as the file has them: a JSON object, sorted by name."""
        return json.dumps(dict(self.labels), ensure_ascii=False, separators=(",", ":"))

    def __str__(self) -> str:
        inside = ",".join(f"{name}={json.dumps(value)}" for name, value in self.labels)
        return f"{self.name}{{{inside}}}" if inside else self.name


def identity(name: object, labels: Mapping[str, str] | None = None) -> Identity:
    """Return the identity of *name* with *labels*; SeriesNameError or LabelError if refused."""
    return Identity(checked_name(name), checked_labels(labels))


def stored_identity(name: str, labels: str) -> Identity:
    """Return what identity() was given when the file got *name* and *labels*."""
    return Identity(name, tuple(json.loads(labels).items()))


def checked_name(name: object) -> str:
    """Return *name* when a series may be called so; else raise SeriesNameError."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise SeriesNameError(
            f"The series name {shown(name)} is not allowed; allowed: {NAME_ALLOWED}.",
            allowed=NAME_ALLOWED,
        )
    return str(name)


def checked_labels(labels: Mapping[str, str] | None) -> tuple[tuple[str, str], ...]:
    """Return *labels* sorted, without the empty ones; else raise LabelError."""
    if labels is None:
        return ()
    if not isinstance(labels, Mapping):
        raise LabelError("labels have to be a mapping such as {'route': '/x'}.")
    if len(labels) > MAX_LABELS:
        raise LabelError(
            f"{len(labels)} labels are too many; allowed: {MAX_LABELS} a series.",
            labels=len(labels),
            limit=MAX_LABELS,
        )
    for name, value in labels.items():
        _check_label(name, value)
    return tuple(sorted((str(n), str(v)) for n, v in labels.items() if v))


def _check_label(name: object, value: object) -> None:
    if not isinstance(name, str) or _LABEL.fullmatch(name) is None or name.startswith("__"):
        raise LabelError(
            f"The label name {shown(name)} is not allowed; allowed: {LABEL_ALLOWED}.",
            allowed=LABEL_ALLOWED,
        )
    if not isinstance(value, str):
        raise LabelError(
            f"The label {name} is a {type(value).__name__}; allowed: text.", label=name
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise LabelError(f"The label {name} holds a lone surrogate.", label=name) from None
    if "\0" in value:
        raise LabelError(f"The label {name} holds a NUL character.", label=name)
    if size > MAX_LABEL_BYTES:
        raise LabelError(
            f"The label {name} has {size} bytes; allowed: {MAX_LABEL_BYTES}.",
            label=name,
            size=size,
            limit=MAX_LABEL_BYTES,
        )
