"""The access check, the Permission column, and the changes of descriptors by the commands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.administration.configurations import (
    LOCAL_SDDL,
    REMOTE_SDDL,
    AccessMode,
    AdministrationError,
    EngineKind,
    SessionConfiguration,
)
from psremoting.administration.permissions import (
    access_mode,
    checked_sddl,
    denies_network,
    is_granted,
    may_connect,
    permission_text,
    with_access_mode,
    with_network_denied,
    without_everyone_denied,
    without_network_denied,
)
from psremoting.administration.sddl import (
    GENERIC_ALL,
    GENERIC_EXECUTE,
    Ace,
    Acl,
    SecurityDescriptor,
    format_sddl,
    parse_sddl,
)
from psremoting.administration.security_identifiers import ALIASES, NETWORK
from tests.administration.descriptors import acls, descriptors, sids

BA, RM, IU, NU = (ALIASES[each] for each in ("BA", "RM", "IU", "NU"))
CAROL = "S-1-5-21-1-2-3-1001"
FULL = GENERIC_ALL | GENERIC_EXECUTE


def configuration(sddl: str = REMOTE_SDDL, **given: object) -> SessionConfiguration:
    made = SessionConfiguration(name="Test", kind=EngineKind.FUNCTIONS, source="m:f", sddl=sddl)
    return replace(made, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sddl", "held", "granted"),
    [
        (REMOTE_SDDL, {CAROL, NU}, False),
        (REMOTE_SDDL, {CAROL, NU, BA}, True),
        (REMOTE_SDDL, {CAROL, NU, RM}, True),
        (REMOTE_SDDL, {CAROL, IU}, True),
        (LOCAL_SDDL, {CAROL, NU, BA}, False),
        (LOCAL_SDDL, {CAROL, IU, BA}, True),
        (f"D:(A;;GA;;;{CAROL})", {CAROL, NU}, True),
        (f"D:(A;;GX;;;{CAROL})", {CAROL, NU}, True),
        (f"D:(A;;GR;;;{CAROL})", {CAROL, NU}, False),
        (f"D:(A;;GRGW;;;{CAROL})", {CAROL, NU}, False),
        (f"D:(A;IO;GA;;;{CAROL})", {CAROL, NU}, False),
        (f"D:(A;;GA;;;{CAROL})(D;;GX;;;{CAROL})", {CAROL, NU}, False),
        (f"D:(A;;GA;;;{CAROL})(D;;GR;;;{CAROL})", {CAROL, NU}, True),
        ("D:P", {CAROL, BA}, False),
        ("O:BA", {CAROL, BA}, False),
        ("D:(OA;;GA;;;BA)", {BA}, False),
        ("D:(AU;;GA;;;BA)", {BA}, False),
        ("D:(XA;;GA;;;BA;(Member_of {SID(RM)}))", {BA}, False),
        ("D:(XA;;GA;;;BA;(Member_of {SID(RM)}))", {BA, RM}, True),
        ("D:(A;;GA;;;BA)(XD;;GA;;;BA;(Not_Member_of {SID(RM)}))", {BA}, False),
        ("D:(A;;GA;;;BA)(XD;;GA;;;BA;(Not_Member_of {SID(RM)}))", {BA, RM}, True),
    ],
)
def test_execute_decides_and_denials_win(sddl: str, held: set[str], granted: bool) -> None:
    assert is_granted(parse_sddl(sddl), held) is granted


@given(descriptors, st.sets(sids), st.data())
def test_a_denial_wins_wherever_it_stands(
    descriptor: SecurityDescriptor, held: set[str], data: st.DataObject
) -> None:
    sid = data.draw(sids)
    denial = Ace(type="D", mask=data.draw(st.sampled_from([GENERIC_ALL, GENERIC_EXECUTE])), sid=sid)
    acl = descriptor.dacl or Acl()
    at = data.draw(st.integers(0, len(acl.aces)))
    denied = replace(acl, aces=(*acl.aces[:at], denial, *acl.aces[at:]))
    assert not is_granted(replace(descriptor, dacl=denied), held | {sid})


@given(descriptors, st.sets(sids))
def test_nobody_is_granted_what_no_entry_allows(
    descriptor: SecurityDescriptor, held: set[str]
) -> None:
    if is_granted(descriptor, held):
        assert any(
            ace.type in ("A", "XA") and ace.sid in held and ace.mask & FULL
            for ace in (descriptor.dacl or Acl()).aces
        )


@given(acls.map(lambda acl: format_sddl(SecurityDescriptor(dacl=acl))), st.sets(sids))
def test_with_the_network_denied_nobody_connects_from_it(sddl: str, held: set[str]) -> None:
    denied = with_network_denied(sddl)
    assert denies_network(denied)
    assert not is_granted(parse_sddl(denied), held | {NETWORK})
    assert with_network_denied(denied) == denied


@given(acls.map(lambda acl: format_sddl(SecurityDescriptor(dacl=acl))))
def test_denying_and_allowing_the_network_is_one_round(sddl: str) -> None:
    allowed = without_network_denied(with_network_denied(sddl))
    assert not denies_network(allowed)
    # From then on the list is in canonical order, and a round changes nothing.
    assert without_network_denied(with_network_denied(allowed)) == allowed


def test_the_permission_column_has_the_words_of_the_page() -> None:
    """Documents: Disable-PSRemoting, examples 4 and 6."""
    page = "NT AUTHORITY\\NETWORK AccessDenied, BUILTIN\\Administrators AccessAllowed"
    administrators = "O:NSG:BAD:P(A;;GA;;;BA)"
    assert permission_text(administrators) == "BUILTIN\\Administrators AccessAllowed"
    assert permission_text(with_network_denied(administrators)) == page
    test = f"O:NSG:BAD:P(A;;GA;;;BA)(A;;GA;;;{CAROL})(A;;GA;;;IU)"
    names = {CAROL: "DOMAIN01\\User01"}
    assert permission_text(with_network_denied(test), names.__getitem__) == (
        "NT AUTHORITY\\NETWORK AccessDenied, NT AUTHORITY\\INTERACTIVE AccessAllowed, "
        "BUILTIN\\Administrators AccessAllowed, DOMAIN01\\User01 AccessAllowed"
    )


def test_the_permission_column_shows_a_sid_without_a_name() -> None:
    assert permission_text(f"D:(A;;GA;;;{CAROL})") == f"{CAROL} AccessAllowed"


def test_an_access_mode_is_the_flag_and_the_entry_against_the_network() -> None:
    remote = configuration()
    local = with_access_mode(remote, AccessMode.LOCAL)
    disabled = with_access_mode(local, AccessMode.DISABLED)
    assert [access_mode(each) for each in (remote, local, disabled)] == [
        AccessMode.REMOTE, AccessMode.LOCAL, AccessMode.DISABLED,
    ]  # fmt: skip
    assert parse_sddl(local.sddl).dacl is not None
    assert disabled.sddl == local.sddl
    assert not may_connect(disabled, {BA, IU})
    assert access_mode(with_access_mode(disabled, AccessMode.REMOTE)) is AccessMode.REMOTE


def test_removing_the_last_denial_gives_the_default_entries() -> None:
    assert permission_text(without_network_denied("D:P(D;;GA;;;NU)")) == (
        "NT AUTHORITY\\INTERACTIVE AccessAllowed, BUILTIN\\Administrators AccessAllowed, "
        "BUILTIN\\Remote Management Users AccessAllowed"
    )
    assert "WD" not in without_everyone_denied("D:P(D;;GA;;;WD)(A;;GA;;;BA)")


def test_only_powershells_own_entry_counts_as_denied_network() -> None:
    assert not denies_network("D:(D;;GX;;;NU)(A;;GA;;;BA)")
    assert denies_network("D:(A;;GA;;;BA)(D;;GA;;;NU)")


def test_a_descriptor_without_a_list_is_refused_and_grants_nothing() -> None:
    with pytest.raises(AdministrationError, match="expected a list of access"):
        checked_sddl("O:NSG:BA")
    assert not may_connect(configuration("O:NSG:BA"), {BA})


def test_a_descriptor_that_cannot_be_read_refuses_everybody() -> None:
    assert not may_connect(configuration("nonsense"), {BA, IU})
