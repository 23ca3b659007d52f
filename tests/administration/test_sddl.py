"""Security descriptors as text: what is read, what is written, and where an error is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.administration.configurations import LOCAL_SDDL, REMOTE_SDDL
from psremoting.administration.sddl import (
    Acl,
    SddlError,
    SecurityDescriptor,
    format_sddl,
    parse_sddl,
)
from psremoting.administration.security_identifiers import parse_sid
from psrp.sansio import LocalProtocolError
from tests.administration.descriptors import descriptors

ROOT_SDDL = "O:NSG:BAD:P(A;;GA;;;BA)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"


def offset_of_error(text: str) -> int:
    """Return the place of the error in a text, 0 if it is a descriptor."""
    try:
        parse_sddl(text)
    except SddlError as error:
        return error.offset
    return 0


@given(descriptors)
def test_what_is_written_is_read_as_the_same(descriptor: SecurityDescriptor) -> None:
    text = format_sddl(descriptor)
    assert parse_sddl(text) == descriptor
    assert format_sddl(parse_sddl(text)) == text


@pytest.mark.parametrize("text", [LOCAL_SDDL, REMOTE_SDDL, ROOT_SDDL])
def test_the_descriptors_of_powershell_and_winrm_keep_their_text(text: str) -> None:
    assert format_sddl(parse_sddl(text)) == text


@given(st.text(alphabet="OGDSPAI:();,-0123456789x BNUWXE{}&|!", max_size=60))
def test_any_text_is_a_descriptor_or_an_error_with_a_place_in_it(text: str) -> None:
    assert 0 <= offset_of_error(text) <= len(text)


@given(descriptors.map(format_sddl), st.data())
def test_a_damaged_descriptor_is_read_or_refused_with_a_place(
    text: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    damaged = text[:at] + data.draw(st.text(alphabet="();:DXA-9", max_size=2)) + text[at + 1 :]
    assert 0 <= offset_of_error(damaged) <= len(damaged)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("Q:BA", 0, "expected O:, G:, D: or S:"),
        ("O:BAO:BA", 4, "O: occurs more than once"),
        ("O:ZZ", 2, "expected a SID or its alias, got 'ZZ'"),
        ("O:DA", 2, "expected a SID or its alias, got 'DA'"),
        ("O:S-1-", 2, "expected a SID such as S-1-5-32-544"),
        ("D:(A;;GA;;;BA", 13, "expected ) at the end of the entry"),
        ("D:(A;;GA;;BA)", 12, "expected six fields, separated by ;"),
        ("D:(Q;;GA;;;BA)", 3, "expected a type of entry"),
        ("D:(A;ZZ;GA;;;BA)", 5, "unexpected flag 'ZZ'"),
        ("D:(A;;GAQQ;;;BA)", 8, "unknown right 'QQ'"),
        ("D:(A;;99999999999;;;BA)", 6, "unknown right '99'"),
        ("D:(A;;5000000000;;;BA)", 6, "a mask has 32 bits"),
        ("D:(A;;GA;x;;BA)", 9, "an entry of type A has no object"),
        ("D:(OA;;GA;x;;BA)", 10, "expected a GUID"),
        ("D:PP", 3, "the flag P occurs more than once"),
        ("D:NO_ACCESS_CONTROL", 2, "would give everybody access"),
        ("D:(XA;;GA;;;BA)", 14, "expected ; and a condition"),
        ("D:(XA;;GA;;;BA;(@User.x == 1))", 15, "expected Member_of"),
    ],
)
def test_an_error_names_the_place_and_the_rule(text: str, offset: int, message: str) -> None:
    with pytest.raises(SddlError) as caught:
        parse_sddl(text)
    assert caught.value.offset == offset
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"SDDL, character {offset + 1}: ")


def test_a_list_has_a_limit_and_so_has_a_text() -> None:
    entry = "(A;;GA;;;BA)"
    assert len((parse_sddl("D:" + entry * 1820).dacl or Acl()).aces) == 1820
    with pytest.raises(SddlError, match="at most 1820 entries"):
        parse_sddl("D:" + entry * 1821)
    with pytest.raises(SddlError, match="at most 65535 characters"):
        parse_sddl("D:" + entry * 10_000)


def test_a_deep_condition_is_refused() -> None:
    with pytest.raises(SddlError, match="nested at most 32 deep"):
        parse_sddl(f"D:(XA;;GA;;;BA;{'(' * 50}Member_of {{SID(BA)}}{')' * 50})")


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("s-1-5-32-544", "S-1-5-32-544"),
        ("S-1-0x5-0x20-544", "S-1-5-32-544"),
        ("S-1-0x123456789ABC-1", "S-1-0x123456789ABC-1"),
        ("S-1-5-4294967295", "S-1-5-4294967295"),
    ],
)
def test_a_sid_has_one_text(text: str, canonical: str) -> None:
    assert parse_sid(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "S-1-5", "S-2-5-32", "S-1-5-4294967296", "S-1-5-" + "1-" * 15 + "1", "BA"]
)
def test_what_is_no_sid_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected a SID"):
        parse_sid(text)
