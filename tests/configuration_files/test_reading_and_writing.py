"""Session configuration and role capability files: those of PowerShell, and their checks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from psremoting.configuration_files import (
    ConfigurationFileError,
    read_configuration_file,
    read_role_capability_file,
)
from psremoting.configuration_files.file_reading import parse_configuration
from psremoting.configuration_files.file_writing import (
    FILE_ENCODING,
    role_capability_text,
    session_configuration_text,
)
from psremoting.errors import PSRemotingError
from psremoting.powershell.script_file import decode_script
from psrp.clixml import Dictionary, List, ScriptBlock
from tests.house.source import ROOT

_FILES = ROOT / "fixtures/configuration-files"


@pytest.mark.parametrize("name", ["default.pssc", "full.pssc", "every-key.pssc"])
def test_a_file_of_powershell_is_read_and_written_as_it_is(name: str) -> None:
    file = read_configuration_file(_FILES / name)
    file.check()
    values = dict(file.table.items()) if name == "every-key.pssc" else {}
    text = session_configuration_text(
        values, author="root", guid=file.get("GUID"), file=name, full=name == "full.pssc",
        version="7.6.9",
    )  # fmt: skip
    assert text.encode(FILE_ENCODING) == (_FILES / name).read_bytes()


def test_a_role_capability_file_of_powershell_is_written_as_it_is() -> None:
    file = read_role_capability_file(_FILES / "default.psrc")
    text = role_capability_text({}, author="root", guid=file.get("GUID"), file="x.psrc")
    assert text == decode_script((_FILES / "default.psrc").read_bytes())


def test_a_fifo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pssc"
    os.mkfifo(path)
    with pytest.raises(ConfigurationFileError) as refused:
        read_configuration_file(path)
    assert str(refused.value) == f"cannot read {path}: it is no regular file"


def test_arrays_that_powershell_would_lose_are_kept() -> None:
    roles = Dictionary(
        {"g": Dictionary({"VisibleCmdlets": List(["a", Dictionary({"Name": "b"})])})}
    )
    text = session_configuration_text(
        {"RoleDefinitions": roles, "VisibleAliases": List(["x", "", "y"])},
        author="a", guid="g", file="f",
    )  # fmt: skip
    read = parse_configuration(text, "f").table
    assert read["RoleDefinitions"] == roles
    assert list(read["VisibleAliases"]) == ["x", "", "y"]


_UNWRITABLE: list[tuple[str, Any, str]] = [
    ("FunctionDefinitions", Dictionary({"Name": "a"}), "must contain the required key"),
    (
        "FunctionDefinitions",
        Dictionary({"Name": "a", "ScriptBlock": "text"}),
        "The key 'ScriptBlock' in the member 'FunctionDefinitions' must be a script block.",
    ),
    ("VariableDefinitions", "$x = 1", "must be a hashtable array"),
    ("ModulesToImport", List([5]), "must be an array consisting of either string or hashtable"),
    ("RoleDefinitions", Dictionary({"g": "x"}), "Could not convert the value of the 'g' role"),
    (
        "RoleDefinitions",
        Dictionary({"g": Dictionary({"Foo": 1})}),
        "Invalid role capability key: Foo.",
    ),
    ("RoleDefinitions", Dictionary({5: Dictionary()}), "Invalid role key type"),
    ("RequiredGroups", Dictionary({"And": "a", "Or": "b"}), "single key of And or Or"),
]


@pytest.mark.parametrize(("key", "value", "text"), _UNWRITABLE)
def test_a_value_that_is_no_data_is_not_written(key: str, value: Any, text: str) -> None:
    with pytest.raises(PSRemotingError) as refused:
        session_configuration_text({key: value}, author="a", guid="g", file="f.pssc")
    assert text in str(refused.value)


_FAULTS = [
    ("", "The member 'SchemaVersion' is not present in the configuration file."),
    ("Foo = 5", "The member 'Foo' is not a valid key."),
    ("Author = 5", "The member 'Author' must be a string."),
    ("MountUserDrive = 'x'", "The member 'MountUserDrive' must be a boolean."),
    ("UserDriveMaximumSize = 1.5", "The member 'UserDriveMaximumSize' must be an integer."),
    ("RoleDefinitions = 'x'", "The member 'RoleDefinitions' must be a hashtable."),
    ("ModulesToImport = 5", "must be an array consisting of either string or hashtable elements."),
    ("SessionType = 'x'", 'Valid enumeration values are "Empty,RestrictedRemoteServer,Default"'),
    ("AliasDefinitions = @{ Name = 'a' }", "must contain the required key 'Value'."),
    ("ScriptsToProcess = 'a.ps1'", "is not an absolute path a.ps1."),
    ("TypesToProcess = '/a.txt'", "contains an extension .txt that is not valid."),
    ("Description = {x}", "The member 'Description' must be a string."),
]


@pytest.mark.parametrize(("line", "text"), _FAULTS)
def test_a_fault_has_powershells_text_and_a_place(line: str, text: str) -> None:
    schema = "SchemaVersion = '2.0.0.0'" if line else ""
    file = parse_configuration(f"@{{\n{schema}\n{line}\n}}", "f.pssc")
    with pytest.raises(ConfigurationFileError) as found:
        file.check()
    assert text in str(found.value)
    if line:
        assert found.value.position is not None
        assert found.value.position.line == 3
        assert "(line 3, column " in str(found.value)


def test_a_wrong_key_within_a_definition_has_its_own_place() -> None:
    text = "@{ SchemaVersion='2.0.0.0'\nAliasDefinitions =\n @{ Name='a'; Value='b'; Foo=1 } }"
    with pytest.raises(ConfigurationFileError, match=r"The key 'Foo' .*line 3, column 26"):
        parse_configuration(text, "f.pssc").check()


@pytest.mark.parametrize(
    ("name", "error_id"),
    [
        ("x.txt", "InvalidPSSessionConfigurationFilePath"),
        ("none.pssc", "InvalidPSSessionConfigurationFile"),
    ],
)
def test_a_path_that_is_no_file_is_refused(name: str, error_id: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationFileError) as refused:
        read_configuration_file(tmp_path / name)
    assert refused.value.error_id == error_id


def test_a_file_that_is_no_hashtable_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pssc"
    path.write_text("'x'")
    with pytest.raises(ConfigurationFileError, match="Expected a hashtable"):
        read_configuration_file(path)
    path.write_text("@{ a = Get-Date }")
    with pytest.raises(ConfigurationFileError, match="line 1, column 8: a command is not data"):
        read_configuration_file(path)


def test_keys_that_the_server_of_powershell_refuses() -> None:
    for key, text in (
        ("RoleDefinitions", "contains an unsupported configuration option: RoleDefinitions."),
        ("Foo", "contains an unknown configuration option: Foo."),
        ("RoleCapabilityFiles", "contains an unknown configuration option: RoleCapabilityFiles."),
    ):
        file = parse_configuration(f"@{{ {key} = @{{}} }}", "f.pssc")
        with pytest.raises(ConfigurationFileError) as refused:
            file.check_for_server()
        assert text in str(refused.value)


def test_script_blocks_are_never_more_than_text() -> None:
    file = parse_configuration("@{ FunctionDefinitions = @{ Name='F'; ScriptBlock={exit} } }", "f")
    assert isinstance(file.table["FunctionDefinitions"]["ScriptBlock"], ScriptBlock)
