"""Kerberos users at an administered endpoint: allowed and refused, before and after each step."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.administration.running_endpoint import (
    ALLOWED,
    CONFIGURATION,
    DENIED,
    PASSWORD,
    REFUSED,
    RunningEndpoint,
    running_endpoint,
)
from tests.endpoint.test_wsman_clients import _has_gssapi
from tests.live import kdc

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("administered-kerberos"),
    pytest.mark.skipif(bool(kdc.why_not()) or not _has_gssapi(), reason="no Kerberos here"),
]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEndpoint]:
    folder = tmp_path_factory.mktemp("realm")
    users = {ALLOWED: PASSWORD, REFUSED: PASSWORD}
    with kdc.running(folder, users) as realm, pytest.MonkeyPatch.context() as patch:
        patch.setenv("KRB5_CONFIG", str(realm.config))
        served = tmp_path_factory.mktemp("administered")
        with running_endpoint(served, keytab=str(realm.keytab)) as made:
            yield made


def outcome(endpoint: RunningEndpoint, user: str, *, secure: bool) -> str:
    target = endpoint.target(
        f"{user}@{kdc.REALM}", "kerberos", computer_name="localhost", use_ssl=secure,
        port=endpoint.https if secure else endpoint.http,
        ca_file=str(endpoint.folder / "server.pem") if secure else "",
    )  # fmt: skip
    return endpoint.outcome(target)


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_each_step_holds_for_allowed_and_refused_principals(
    endpoint: RunningEndpoint, secure: bool
) -> None:
    with endpoint.store as store:
        store.put_configuration(CONFIGURATION)
    principal = f"{ALLOWED}@{kdc.REALM}"
    assert outcome(endpoint, ALLOWED, secure=secure) == "open"
    assert outcome(endpoint, REFUSED, secure=secure) == DENIED
    steps = (
        (("Disable-PSRemoting", "-Force"), DENIED),
        (("Enable-PSSessionConfiguration", "*"), "open"),
        (("Set-PSSessionConfiguration", CONFIGURATION.name, "-AccessMode", "Disabled"), DENIED),
        (("Set-PSSessionConfiguration", CONFIGURATION.name, "-AccessMode", "Remote"), "open"),
    )
    for words, expected in steps:
        done = endpoint.psrp(*words)
        assert done.returncode == 0, done.stderr
        assert outcome(endpoint, ALLOWED, secure=secure) == expected, words
        assert outcome(endpoint, REFUSED, secure=secure) == DENIED, words
    with endpoint.store as store:
        owners = {each.who for each in store.audit_trail(last=1000) if each.action == "log-on"}
    assert principal in owners
    assert os.environ["KRB5_CONFIG"]
