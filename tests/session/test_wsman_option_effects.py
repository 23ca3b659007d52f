"""Every session option of WS-Man has its effect on what is sent (facts of New-PSSessionOption)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from psremoting import SessionOption, WSManTarget
from psremoting.client.wsman_setup import connections, shell_config
from psrp.clixml import Credential
from psrp.sansio import Outgoing, TransportAct
from wsman import auth_client, operations, soap
from wsman import shell_values as v
from wsman.auth import Authentication
from wsman.auth_client import ClientAuthenticator
from wsman.envelopes import Headers
from wsman.requests import Request
from wsman.shell import Shell
from wsman.trio_connection import Endpoint

A = TransportAct
POOL = UUID("76056a84-51dc-4f24-9262-ca2a55464b2b")
TARGET = WSManTarget(
    computer_name="server", credential=Credential("me", "secret"), authentication="ntlm",
    trusted_hosts=("*",), allow_unencrypted=True,
)  # fmt: skip


def first_request(options: SessionOption) -> tuple[Shell, Request]:
    machine = Shell(shell_config(TARGET, POOL, options), new_id=uuid4)
    machine.send(Outgoing(act=A.CREATE_POOL, data=b"first"))
    request = machine.next_request(0.0)
    assert request is not None
    return machine, request


def created(**options: Any) -> soap.Envelope:
    return soap.parse(first_request(SessionOption(**options))[1].body)


def endpoint(target: WSManTarget = TARGET, **options: Any) -> Endpoint:
    return connections(target, SessionOption(**options))._endpoint


def test_a_create_without_options_asks_for_nothing() -> None:
    envelope = created()
    assert [each.name for each in envelope.options] == ["protocolversion"]
    assert (envelope.locale, envelope.data_locale) == ("en-US", "en-US")
    assert envelope.compression == ""
    value = operations.read(envelope)
    assert isinstance(value, v.Create)
    assert value.idle_timeout is None


def test_the_profile_can_be_left_out() -> None:
    (option,) = [each for each in created(no_machine_profile=True).options if "NOPROF" in each.name]
    assert (option.name, option.value, option.must_comply) == ("WINRS_NOPROFILE", "1", True)


def test_cultures_are_sent_with_each_request() -> None:
    """Culture is DataLocale and UICulture is Locale, as in PowerShell's client."""
    envelope = created(culture="de-DE", ui_culture="fr-FR")
    assert (envelope.data_locale, envelope.locale) == ("de-DE", "fr-FR")
    assert not envelope.must_understand & {"Locale", "DataLocale"}


@pytest.mark.parametrize(("given", "asked"), [(None, ""), (True, ""), (False, "xpress")])
def test_compression_is_asked_for_by_name(given: bool | None, asked: str) -> None:
    envelope = created(no_compression=given)
    assert envelope.compression == asked
    assert ("CompressionType" in envelope.must_understand) is bool(asked)


def test_times_are_sent_in_seconds() -> None:
    envelope = created(idle_timeout=120, operation_timeout=45)
    value = operations.read(envelope)
    assert isinstance(value, v.Create)
    assert value.idle_timeout == 120
    assert envelope.operation_timeout == "PT45.000S"
    # No limit of ours: the longest poll that we make.
    assert created(operation_timeout=0).operation_timeout == "PT180.000S"


def test_envelopes_can_be_utf_16() -> None:
    _, request = first_request(SessionOption(use_utf16=True))
    assert request.body[:2] == b"\xff\xfe"
    assert request.content_type.endswith("charset=UTF-16")
    assert soap.parse(request.body).operation == "Create"


@pytest.mark.parametrize("mode", ["None", "Drop", "Block"])
def test_the_buffering_of_a_disconnected_session(mode: str) -> None:
    machine, request = first_request(SessionOption(output_buffering_mode=mode, idle_timeout=60))
    answer = operations.write(
        Headers(relates_to=request.message_id),
        v.CreateResponse(resource_uri="x", selectors=(("ShellId", str(POOL)),)),
    )
    machine.receive_answer(request.number, 200, [answer], 0.0)
    machine.send(Outgoing(act=A.DISCONNECT))
    made = []
    while (each := machine.next_request(0.0)) is not None:
        made.append(each)
    (left,) = [each for each in made if each.operation == "Disconnect"]
    value = operations.read(soap.parse(left.body))
    assert value == v.Disconnect(idle_timeout=60, buffer_mode="" if mode == "None" else mode)


def test_retries_and_limits_are_the_clients() -> None:
    config = shell_config(TARGET, POOL, SessionOption(max_connection_retries=7))
    assert config.retries == 7
    assert endpoint(open_timeout=12).connect_timeout == 12


@pytest.mark.parametrize("name", ["skip_ca_check", "skip_cn_check", "skip_revocation_check"])
def test_each_check_of_a_certificate_is_skipped_alone(name: str) -> None:
    tls = endpoint(**{name: True}).tls
    found = {
        each: getattr(tls, each)
        for each in ("skip_ca_check", "skip_cn_check", "skip_revocation_check")
    }
    assert found == {each: each == name for each in found}


def test_messages_are_in_the_clear_only_over_http() -> None:
    assert endpoint(no_encryption=True).auth.no_encryption
    assert not endpoint(replace(TARGET, use_ssl=True), no_encryption=True).auth.no_encryption
    assert not endpoint().auth.no_encryption


@pytest.mark.parametrize(("with_port", "host"), [(False, "server"), (True, "server:5985")])
def test_the_principal_of_the_server_has_its_port_if_asked_for(
    with_port: bool, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service class is HTTP."""
    seen: list[tuple[str, str]] = []

    class Stop(Exception):
        pass

    def initiator(protocol: str, **fields: Any) -> None:
        seen.append((fields["service"], fields["host"]))
        raise Stop

    monkeypatch.setattr(auth_client, "initiator", initiator)
    options = endpoint(include_port_in_spn=with_port).auth
    with pytest.raises(Stop):
        ClientAuthenticator(options, random=bytes).first()
    assert seen == [("HTTP", host)]


def test_a_proxy_has_its_own_credential() -> None:
    place = replace(TARGET, proxy="http://proxy:3128")
    secret = Credential("proxy user", "proxy secret")
    proxy = endpoint(place, proxy_authentication="basic", proxy_credential=secret).proxy
    assert proxy is not None
    assert (proxy.location.host, proxy.location.port) == ("proxy", 3128)
    assert proxy.authentication is Authentication.BASIC
    assert proxy.credential is not None
    assert proxy.credential.user_name == "proxy user"
    assert endpoint().proxy is None


@pytest.mark.parametrize(("allowed", "count"), [(True, 3), (False, 0)])
def test_redirects_are_followed_only_if_the_target_allows_them(allowed: bool, count: int) -> None:
    place = replace(TARGET, allow_redirection=allowed)
    made = connections(place, SessionOption(max_connection_redirections=3))
    assert made._redirection.count == count
