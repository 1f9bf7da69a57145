"""Configurations as TOML, JSON and YAML text. Nothing that is read is ever executed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dsfactory.errors import ConfigurationError, UnfitEnvironmentError, shown

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes of a configuration file: a thousand times what people write by hand."""


class Format(NamedTuple):
    """How one format is read and written; *read* raises ValueError."""

    read: Callable[[str], Any]
    write: Callable[[dict[str, Any]], str]
    suffixes: tuple[str, ...]


def _read_toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _write_toml(plain: dict[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(_without_null(plain, "$"))


def _without_null(plain: Any, place: str) -> Any:
    if isinstance(plain, dict):
        return {
            name: _without_null(item, f"{place}.{name}")
            for name, item in plain.items()
            if item is not None
        }
    if isinstance(plain, list):
        if None in plain:
            raise ConfigurationError(
                f"{place}: TOML has no null for a list. Export as JSON or YAML.",
                field=place,
                type="list",
                rule="TOML has no null",
            )
        return [_without_null(item, f"{place}[{index}]") for index, item in enumerate(plain)]
    return plain


def _read_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return made


def _write_json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, indent=2, ensure_ascii=False) + "\n"


def _yaml() -> Any:
    try:
        from dsfactory.services.configuration import yamlish
    except ImportError as error:
        raise UnfitEnvironmentError(
            "YAML needs PyYAML, which is not installed: pip install 'dsfactory[yaml]'.",
            package="pyyaml",
        ) from error
    return yamlish


FORMATS: Mapping[str, Format] = {
    "toml": Format(_read_toml, _write_toml, (".toml",)),
    "json": Format(_read_json, _write_json, (".json",)),
    "yaml": Format(
        lambda text: _yaml().read(text),
        lambda plain: str(_yaml().write(plain)),
        (".yaml", ".yml"),
    ),
}


def named(name: str) -> Format:
    """Return the format *name*; raise ConfigurationError when there is none."""
    try:
        return FORMATS[name]
    except (KeyError, TypeError):
        raise ConfigurationError(
            f"There is no format {shown(name)}; there are {', '.join(FORMATS)}.", rule="format"
        ) from None


def format_of(path: Path) -> str:
    """Return the name of the format that the suffix of *path* says."""
    for name, form in FORMATS.items():
        if path.suffix.lower() in form.suffixes:
            return name
    raise ConfigurationError(
        f"{path}: the suffix {path.suffix!r} says no format. Rename it to .toml, .json or .yaml.",
        file=str(path),
        rule="format",
    )


def parsed(text: str, name: str, what: str) -> dict[str, Any]:
    """Return the settings that *text* holds; *what* is named in errors, the text never is."""
    form = named(name)
    try:
        plain = form.read(text)
    except RecursionError:
        raise ConfigurationError(f"{what} is nested too deep.", file=what, rule=name) from None
    except ValueError as error:
        where = getattr(error, "lineno", None)
        line = f" (line {where})" if where else ""
        raise ConfigurationError(
            f"{what} is no {name.upper()}{line}. Mend it; the configuration stays as it was.",
            file=what,
            line=where,
            rule=name,
        ) from None
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        raise ConfigurationError(
            f"{what} holds a {type(plain).__name__}; a configuration has names at the top.",
            file=what,
            field="$",
            type=type(plain).__name__,
            rule="object",
        )
    return plain


def read_file(path: Path) -> dict[str, Any]:
    """Return the settings in the file *path*; raise ConfigurationError when it cannot be read."""
    name = format_of(path)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror or type(error).__name__}. "
            "The configuration stays as it was.",
            file=str(path),
            rule="readable",
        ) from error
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path} is not UTF-8.", file=str(path), rule="UTF-8") from None
    if len(content) > LARGEST_FILE:
        raise ConfigurationError(
            f"{path} is larger than {LARGEST_FILE} bytes: no configuration.",
            file=str(path),
            rule="size",
        )
    return parsed(text, name, str(path))
