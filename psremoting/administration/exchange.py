"""The store as a JSON document: export, and import in one transaction.

Passwords stay hashed, and an import is refused as a whole if any part of it is wrong. The audit
trail and running sessions are not part of the document.
"""

from __future__ import annotations

import json
from typing import Any

from psremoting.administration.configurations import (
    AdministrationError,
    ListenerSetting,
    SessionConfiguration,
    checked_listener,
    configuration_name_fault,
)
from psremoting.administration.permissions import checked_sddl
from psremoting.administration.service_settings import SETTING_DEFAULTS, checked_setting
from psremoting.administration.store import Store
from psremoting.administration.value_codec import from_json, to_json
from wsman.accounts import Accounts, AccountsError
from wsman.certificates import CertificateMapping

__all__ = ["export_store", "import_store"]

_FORMAT = 1
_PARTS = (
    "format", "settings", "configurations", "listeners", "accounts", "mappings", "principals",
    "groups",
)  # fmt: skip


def export_store(store: Store, *, accounts: bool = True) -> str:
    """Return the store as JSON; without ``accounts`` no hash of a password is in it."""
    with store.transaction():
        document: dict[str, Any] = {
            "format": _FORMAT,
            "settings": store.settings(),
            "configurations": [to_json(each) for each in store.configurations()],
            "listeners": [to_json(each) for each in store.listeners()],
            "accounts": store.accounts().format().splitlines() if accounts else [],
            "mappings": [to_json(each) for each in store.mappings()],
            "principals": store.principals(),
            "groups": {name: list(members) for name, members in store.groups().items()},
        }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def import_store(store: Store, text: str, *, who: str) -> None:
    """Add what a document holds to the store; entries of the same name are replaced.

    Raises AdministrationError with the place of the first fault, and then changes nothing.
    """
    document = _document(text)
    configurations = tuple(
        _configuration(each, at) for at, each in _listed(document, "configurations")
    )
    listeners = [_listener(each, f"listeners[{at}]") for at, each in _listed(document, "listeners")]
    mappings = tuple(
        from_json(CertificateMapping, each, f"mappings[{at}]")
        for at, each in _listed(document, "mappings")
    )
    accounts = _accounts(document)
    settings, principals = _texts(document, "settings"), _texts(document, "principals")
    _check_settings(settings)
    groups = {
        name: tuple(_text_list(members, f"groups.{name}"))
        for name, members in _object(document, "groups").items()
    }
    with store.changing(who=who, action="import", detail=_summary(document)):
        for sid, name in principals.items():
            store.put_principal(sid, name)
        _set_settings(store, settings)
        for configuration in configurations:
            store.put_configuration(configuration)
        for listener in listeners:
            store.put_listener(listener)
        for name in accounts.names:
            account = accounts.find(name)
            assert account is not None
            store.put_account(account)
        if mappings:
            store.set_mappings(mappings)
        for group, members in groups.items():
            store.set_members(group, members)


def _set_settings(store: Store, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        if name == "next-rid":
            # Never back to a number that is taken.
            value = str(max(int(value), int(store.setting(name, "0"))))
        store.set_setting(name, value)


def _document(text: str) -> dict[str, Any]:
    """Return the object with its known parts. Raises AdministrationError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AdministrationError(f"expected JSON: {error}") from None
    if (
        not isinstance(document, dict)
        or document.get("format") is True
        or (document.get("format") != _FORMAT)
    ):
        raise AdministrationError(f'expected an object with "format": {_FORMAT}')
    try:
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (UnicodeEncodeError, RecursionError):
        raise AdministrationError("expected texts of whole characters, not halves") from None
    for part in document:
        if part not in _PARTS:
            raise AdministrationError(f"unknown part {part!r:.80}")
    return document


def _listener(data: Any, place: str) -> ListenerSetting:
    try:
        return checked_listener(from_json(ListenerSetting, data, place))
    except AdministrationError as error:
        shown = str(error)
        raise AdministrationError(
            shown if shown.startswith(place) else f"{place}: {shown}"
        ) from None


def _check_settings(settings: dict[str, str]) -> None:
    rid = settings.get("next-rid", "0")
    if not rid.isascii() or not rid.isdigit() or len(rid) > 10:
        raise AdministrationError("settings.next-rid: expected a number")
    for name in SETTING_DEFAULTS.keys() & settings.keys():
        try:
            checked_setting(name, settings[name])
        except AdministrationError as error:
            raise AdministrationError(f"settings.{error}") from None


def _configuration(data: Any, at: int) -> SessionConfiguration:
    place = f"configurations[{at}]"
    made = from_json(SessionConfiguration, data, place)
    if fault := configuration_name_fault(made.name):
        raise AdministrationError(f"{place}.name: {fault}")
    try:
        checked_sddl(made.sddl)
    except AdministrationError as error:
        raise AdministrationError(f"{place}.sddl: {error}") from None
    return made


def _accounts(document: dict[str, Any]) -> Accounts:
    lines = _text_list(document.get("accounts", []), "accounts")
    try:
        return Accounts.parse("\n".join(lines))
    except AccountsError as error:
        raise AdministrationError(f"accounts: {error}") from None


def _object(document: dict[str, Any], part: str) -> dict[str, Any]:
    found = document.get(part, {})
    if not isinstance(found, dict):
        raise AdministrationError(f"{part}: expected an object")
    return found


def _texts(document: dict[str, Any], part: str) -> dict[str, str]:
    found = _object(document, part)
    _text_list(list(found.values()), part)
    return found


def _listed(document: dict[str, Any], part: str) -> enumerate[Any]:
    found = document.get(part, [])
    if not isinstance(found, list):
        raise AdministrationError(f"{part}: expected a list")
    return enumerate(found)


def _text_list(data: Any, place: str) -> list[str]:
    """Return a list of texts. Raises AdministrationError."""
    if not isinstance(data, list) or not all(isinstance(each, str) for each in data):
        raise AdministrationError(f"{place}: expected texts")
    return data


def _summary(document: dict[str, Any]) -> str:
    return ", ".join(f"{len(document[part])} {part}" for part in _PARTS[1:] if document.get(part))
