"""Secrets are masked by annotation, in every form of schema, wherever settings are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from services.configuration_schemas import FORMS, Node, Password

import dsfactory as ds
from dsfactory.services.configuration import (
    AccountSettings,
    ConfigurationEvent,
    ConfigurationManager,
    masking,
)

FORMATS = ("json", "toml", "yaml")
WORD = "very-secret-word"

over_forms = pytest.mark.parametrize(
    ("schema", "defaults"), FORMS, ids=[schema.__name__ for schema, _ in FORMS]
)


def made(factory: ds.DataStoreFactory, schema: Any, defaults: Any) -> ConfigurationManager[Any]:
    """A configuration with a secret in each kind of place."""
    manager = ConfigurationManager(factory, schema, name="s", defaults=defaults)
    manager.update(
        {
            "inner.password": WORD,
            "keys": [WORD, WORD],
            "named": {"a": {"password": WORD, "port": 2}},
            "maybe": 271828,
        },
        reason="all of them",
    )
    return manager


@over_forms
def test_secrets_show_nowhere(factory: ds.DataStoreFactory, schema: Any, defaults: Any) -> None:
    """Audit, diff, events, export and repr show the mask; get() gives the secret."""
    manager = made(factory, schema, defaults)
    heard: list[ConfigurationEvent] = []
    manager.subscribe(heard.append)
    manager.rollback_to_version(1)
    manager.rollback_to_version(2)
    with pytest.raises(ds.ConfigurationError) as refused:
        manager.update("inner.password", [WORD])
    manager.close()
    shown = [
        repr(manager),
        repr(manager.audit_log()),
        repr(manager.diff(1, 2)),
        repr(heard),
        str(manager.as_dict()),
        str(refused.value) + repr(refused.value.facts),
        *(manager.export(form) for form in FORMATS),
    ]
    for text in shown:
        assert WORD not in text
        assert "271828" not in text
    audit = factory.get_store("s-audit")
    assert WORD not in repr(dict(audit))
    assert manager.get("keys") == [WORD, WORD]
    assert manager.get("named.a.password") == WORD
    assert manager.get("named.a.port") == 2
    assert WORD in manager.export(reveal=True)


@over_forms
@pytest.mark.parametrize("form", FORMATS)
def test_masked_export_imports(
    factory: ds.DataStoreFactory, schema: Any, defaults: Any, form: str
) -> None:
    """An export, masked as it is, imports without a change; an edited setting is taken."""
    manager = made(factory, schema, defaults)
    text = manager.export(form)
    assert manager.import_(text, form) == 2
    port = {"json": '"port": 2', "toml": "port = 2", "yaml": "port: 2"}[form]
    assert manager.import_(text.replace(port, port.replace("2", "3")), form) == 3
    assert manager.get("named.a.port") == 3
    assert manager.get("named.a.password") == WORD


@over_forms
def test_unknown_and_wrong(factory: ds.DataStoreFactory, schema: Any, defaults: Any) -> None:
    """Every form of schema refuses unknown names and wrong types by path."""
    manager = made(factory, schema, defaults)
    for change, path in (
        ({"inner": {"prot": 1}}, r"\$\.inner\.prot \(int\)"),
        ({"named": {"a": {"prot": 1}}}, r"\$\.named\.a\.prot"),
        ({"inner": {"port": "x"}}, r"\$\.inner\.port \(str\)"),
        ({"maybe": 1.5}, r"\$\.maybe"),
    ):
        with pytest.raises(ds.ConfigurationError, match=path):
            manager.update(change)
    assert manager.version == 2


def test_type_inside_of_itself(factory: ds.DataStoreFactory) -> None:
    """Of a recursive type nothing secret shows, however deep."""
    manager = ConfigurationManager(factory, Node, name="n")
    manager.update("below", [{"token": WORD, "below": [{"token": WORD, "below": []}]}])
    assert WORD not in manager.export() + repr(manager.audit_log())
    assert manager.get("below[0].below[0].token") == WORD


def test_masking_repr() -> None:
    """A class decorated with masking shows the mask, and None where nothing is set."""
    assert repr(AccountSettings("u", WORD)) == "AccountSettings(user='u', token=***)"
    assert repr(AccountSettings("u")) == "AccountSettings(user='u', token=None)"


@over_forms
def test_masking_reaches_everywhere(schema: Any, defaults: Any) -> None:
    """Neither repr nor str of a masked class shows a secret, however deep it lies."""
    if defaults is not None:
        pytest.skip("a TypedDict's values are dicts, whose repr is Python's")
    inner = type(schema().inner)(password=WORD, port=7)
    value = masking(type("Masked", (schema,), {}))(
        inner=inner, keys=[WORD], named={"a": inner}, maybe=271828
    )
    for text in (repr(value), str(value), f"{value}"):
        assert WORD not in text
        assert "271828" not in text
        assert "port=7" in text


def test_masking_below_dataclass() -> None:
    """The decorators' order does not matter, to the repr or to the audit."""

    @dataclass
    @masking
    class Upside:
        password: Password = WORD

    assert repr(Upside()) == "Upside(password=***)"
