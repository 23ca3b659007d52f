"""The commands that roles, required groups and visibility rules show to a user."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.configuration_files import ConfigurationFileError
from psremoting.configuration_files.file_reading import parse_configuration
from psremoting.configuration_files.roles import (
    meets_required_groups,
    module_folders,
    with_roles,
)
from psremoting.configuration_files.visibility import Restriction, Visibility, visibility_of
from psremoting.endpoint.configured_engine import check_configuration_file
from psremoting.powershell.data_language import read_data
from psrp.clixml import Dictionary, List


def _table(text: str) -> Dictionary:
    found = read_data(f"@{{ {text} }}").value
    assert isinstance(found, Dictionary)
    return found


def _visibility(text: str) -> Visibility:
    return visibility_of(_table(text))


def _with_roles(text: str, *roles: str, folders: list[Path] | None = None) -> Dictionary:
    file = parse_configuration(f"@{{ {text} }}", "f.pssc")
    return with_roles(file, lambda role: role in roles, folders or [])


def test_a_role_adds_its_values_to_those_of_the_file() -> None:
    text = (
        "VisibleCmdlets='A'; RoleDefinitions=@{ admins=@{ VisibleCmdlets='B','C' };"
        " others=@{ VisibleCmdlets='D' } }"
    )
    assert list(_with_roles(text, "admins")["VisibleCmdlets"]) == ["A", "B", "C"]
    assert list(_with_roles(text, "admins", "others")["VisibleCmdlets"]) == ["A", "B", "C", "D"]
    assert _with_roles(text)["VisibleCmdlets"] == "A"
    assert "RoleDefinitions" not in _with_roles(text)


def test_role_capabilities_are_found_in_modules_and_by_path(tmp_path: Path) -> None:
    folder = tmp_path / "modules" / "Mine" / "RoleCapabilities"
    folder.mkdir(parents=True)
    other = tmp_path / "other.psrc"
    (folder / "Basic.psrc").write_text(
        f"@{{ GUID='x'; Author='y'; VisibleFunctions='F'; RoleCapabilityFiles='{other}' }}"
    )
    other.write_text("@{ VisibleFunctions=@{ Name='G'; Parameters=@{ Name='p' } } }")
    modules = [tmp_path / "none", tmp_path / "modules"]
    for name in ("Basic", "Mine\\Basic", "M*\\Basic"):
        text = f"RoleDefinitions=@{{ r=@{{ RoleCapabilities='{name}' }} }}"
        visible = _with_roles(text, "r", folders=modules)["VisibleFunctions"]
        assert visible[0] == "F"
        assert visible[1]["Name"] == "G"


@pytest.mark.parametrize(
    ("name", "error_id"),
    [
        ("RoleCapabilities='None'", "CouldNotFindRoleCapability"),
        ("RoleCapabilities='../../secret'", "CouldNotFindRoleCapability"),
        ("RoleCapabilityFiles='/none.psrc'", "CouldNotFindRoleCapabilityFile"),
        ("RoleCapabilityFiles='/etc/passwd'", "InvalidRoleCapabilityFileExtension"),
        ("Foo='x'", "InvalidRoleCapabilityKey"),
    ],
)
def test_a_capability_that_is_not_there_is_an_error(name: str, error_id: str) -> None:
    with pytest.raises(ConfigurationFileError) as refused:
        _with_roles(f"RoleDefinitions=@{{ r=@{{ {name} }} }}", "r")
    assert refused.value.error_id == error_id


def test_a_capability_that_names_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.psrc"
    path.write_text(f"@{{ RoleCapabilityFiles='{path}' }}")
    with pytest.raises(ConfigurationFileError, match="names itself"):
        _with_roles(f"RoleDefinitions=@{{ r=@{{ RoleCapabilityFiles='{path}' }} }}", "r")


@pytest.mark.parametrize("roles", ["'x'", "@{ r='x' }", "@{ 5=@{} }"])
def test_a_role_that_is_none_is_an_error_with_its_place(roles: str) -> None:
    with pytest.raises(ConfigurationFileError) as refused:
        _with_roles(f"RoleDefinitions={roles}", "r")
    assert refused.value.position is not None


@pytest.mark.parametrize(
    "text",
    [
        "RoleDefinitions=@{ a=5 }",
        "EnvironmentVariables=@{ 'A=B'='x' }",
        "EnvironmentVariables=@{ ''='x' }",
        "EnvironmentVariables=@{ A=$null }",
        "RoleDefinitions=@{ a=@{ EnvironmentVariables=@{ 'A=B'='x' } } }",
    ],
)
def test_what_no_session_can_use_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "f.pssc"
    path.write_text(f"@{{ SchemaVersion='2.0.0.0'; {text} }}")
    with pytest.raises(ConfigurationFileError) as refused:
        check_configuration_file(path)
    assert f"{path}, line 1" in str(refused.value)
    with pytest.raises(ConfigurationFileError):
        _with_roles(text)


def test_the_folders_of_modules_come_from_the_environment() -> None:
    assert module_folders({"PSModulePath": "/a:/b"}) == [Path("/a"), Path("/b")]
    assert module_folders({"HOME": "/home/x"})[0].is_relative_to("/home/x")


def test_required_groups_are_combined() -> None:
    groups = _table("g=@{ And='a', @{ Or='b', 'c' } }")["g"]
    for members, expected in (("ab", True), ("ac", True), ("a", False), ("bc", False)):
        assert meets_required_groups(groups, lambda role, m=members: role in m) is expected  # type: ignore[misc]
    with pytest.raises(ConfigurationFileError, match="And or Or"):
        meets_required_groups(_table("g=@{ Xor='a' }")["g"], lambda role: True)


_COMMANDS = ("Get-A", "Get-B", "Set-A")
_RULES: list[tuple[str, tuple[str, ...]]] = [
    ("SessionType='RestrictedRemoteServer'", ()),
    ("SessionType='Empty'", ()),
    ("SessionType='Default'", _COMMANDS),
    ("", _COMMANDS),
    ("VisibleCmdlets='Get-A'", ("Get-A",)),
    ("VisibleFunctions='Get-*'", ("Get-A", "Get-B")),
    ("VisibleFunctions='get-a'; VisibleCmdlets='SET-A'", ("Get-A", "Set-A")),
    ("VisibleCmdlets='module\\Get-B'", ("Get-B",)),
    ("VisibleFunctions=@{ Name='Set-A'; Parameters=@{ Name='x' } }", ("Set-A",)),
    ("VisibleAliases='x'", ()),
    ("VisibleProviders='FileSystem'", ()),
    ("VisibleCmdlets=@()", _COMMANDS),
    ("SessionType='RestrictedRemoteServer'; VisibleCmdlets='*-A'", ("Get-A", "Set-A")),
]


@pytest.mark.parametrize(("text", "shown"), _RULES)
def test_the_commands_that_a_file_shows(text: str, shown: tuple[str, ...]) -> None:
    visibility = _visibility(text)
    assert tuple(each for each in _COMMANDS if visibility.shows(each)) == shown


def test_a_defined_function_is_visible_until_functions_are_named() -> None:
    assert _visibility("SessionType='Empty'").shows("F", defined=True)
    assert _visibility("VisibleCmdlets='X'").shows("F", defined=True)
    assert not _visibility("VisibleFunctions='X'").shows("F", defined=True)
    assert _visibility("VisibleCmdlets='F'; VisibleFunctions='X'").shows("F", defined=True)


def test_restrictions_of_one_command_add_up() -> None:
    visibility = _visibility(
        "VisibleCmdlets=@{ Name='C'; Parameters=@{ Name='x'; ValidateSet='a','b' } },"
        "@{ Name='c'; Parameters=@{ Name='X'; ValidateSet='B','c' }, @{ Name='y';"
        " ValidatePattern='p.*','q' }, @{ Name='z' } }"
    )
    assert visibility.restriction_of("C") == (
        Restriction("x", ("a", "b", "c"), ""),
        Restriction("y", (), "^(p.*|q)$"),
        Restriction("z"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "VisibleCmdlets=5",
        "VisibleCmdlets=$null",
        "VisibleCmdlets=@{ Name='x' }",
        "VisibleCmdlets=@{ Parameters=@{ Name='x' } }",
        "VisibleCmdlets=@{ Name='x'; Parameters='y' }",
        "VisibleCmdlets=@{ Name='x'; Parameters=@{ ValidateSet='y' } }",
        "VisibleCmdlets=@{ Name='x'; Parameters=@{ Name='y'; ValidateRange=1 } }",
        "SessionType='x'",
        "ModulesToImport=5",
    ],
)
def test_a_wrong_visible_command_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationFileError):
        _visibility(text)


def test_aliases_are_visible_until_they_are_named() -> None:
    text = "AliasDefinitions=@{ Name='a'; Value='A' }, @{ Name='b'; Value='B' }"
    assert _visibility(text).aliases == (("a", "A"), ("b", "B"))
    assert _visibility(f"{text}; VisibleAliases='B*'").aliases == (("b", "B"),)


@given(st.lists(st.sampled_from(_COMMANDS)), st.lists(st.sampled_from(_COMMANDS)))
def test_a_role_never_shows_less(own: list[str], added: list[str]) -> None:
    table = Dictionary(
        {
            "VisibleCmdlets": List(own or ["X"]),
            "RoleDefinitions": Dictionary({"r": Dictionary({"VisibleCmdlets": List(added)})}),
        }
    )
    file = parse_configuration("@{}", "f")
    made = type(file)("f", table, file.data)
    before, after = (
        visibility_of(with_roles(made, lambda _, has=has: has, []))  # type: ignore[misc]
        for has in (False, True)
    )
    shown = [{each for each in _COMMANDS if v.shows(each)} for v in (before, after)]
    assert shown[0] <= shown[1] == {*own, *added}
