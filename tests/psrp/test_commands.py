"""Commands of a pipeline: building, and writing and reading for peers of all versions."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from psrp import events as e
from psrp.clixml import PSObject, SecureString, dumps, loads
from psrp.commands import (
    USING,
    Command,
    Parameter,
    PipelineResultTypes,
    PowerShell,
    command,
    read_powershell,
    script,
    using_key,
    using_values,
    write_powershell,
)
from psrp.messages import decode
from psrp.sansio import LocalProtocolError, MessageError
from tests.psrp.recorded import everything, out_of_process
from tests.recordings import WHOLE

MERGED = Command(
    "Out-Default",
    use_local_scope=True,
    merge_my_result=PipelineResultTypes.ERROR,
    merge_to_result=PipelineResultTypes.OUTPUT,
    merge_previous_results=3,
    merge_error=1,
    merge_warning=1,
    merge_verbose=1,
    merge_debug=1,
    merge_information=1,
)


def written(shell: PowerShell, version: tuple[int, int] = (2, 3)) -> str:
    return dumps(write_powershell(shell, version)).decode()


def again(shell: PowerShell, version: tuple[int, int] = (2, 3)) -> PowerShell:
    return read_powershell(loads(written(shell, version)))


def test_builders_make_what_they_say() -> None:
    shell = command("Get-ChildItem", "/tmp", Recurse=True) | command("Sort-Object", "Length")
    assert shell.statements == (
        (
            Command(
                "Get-ChildItem", parameters=(Parameter(None, "/tmp"), Parameter("Recurse", True))
            ),
            Command("Sort-Object", parameters=(Parameter(None, "Length"),)),
        ),
    )
    both = script("1", use_local_scope=True).then(shell)
    assert [len(statement) for statement in both.statements] == [1, 2]
    piped = script("1") | both
    assert [len(statement) for statement in piped.statements] == [2, 2]
    assert len((shell | command("Out-Null")).statements[0]) == 3


def test_the_wire_names_are_singular_and_plural_as_powershell_has_them() -> None:
    """Statement C27."""
    xml = written(PowerShell.of(MERGED))
    for name in ("MergeMyResult", "MergeToResult", "MergePreviousResults"):
        assert f'N="{name}"' in xml
    for name in ("MergeMyResults", "MergeToResults"):
        assert f'N="{name}"' not in xml


def test_result_types_follow_each_other() -> None:
    """Statement C28."""
    assert [kind.value for kind in PipelineResultTypes] == list(range(9))
    xml = written(PowerShell.of(MERGED))
    assert "<ToString>Warning</ToString><I32>3</I32>" in xml
    assert again(PowerShell.of(MERGED)).statements[0][0] == MERGED


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ((2, 1), set()),
        ((2, 2), {"MergeError", "MergeWarning", "MergeVerbose", "MergeDebug"}),
        (
            (2, 3),
            {"MergeError", "MergeWarning", "MergeVerbose", "MergeDebug", "MergeInformation"},
        ),
    ],
)
def test_older_peers_are_not_told_of_newer_merges(
    version: tuple[int, int], names: set[str]
) -> None:
    """Statement B23."""
    xml = written(PowerShell.of(MERGED), version)
    newer = {"MergeError", "MergeWarning", "MergeVerbose", "MergeDebug", "MergeInformation"}
    assert {name for name in newer if f'N="{name}"' in xml} == names


def test_all_statements_are_listed_when_there_are_more_than_one() -> None:
    """Statement C33."""
    shell = script("1").then(script("2") | command("Out-Null")).then(script("3"))
    value = write_powershell(shell, (2, 2))
    assert list(value.extended)[:2] == ["ExtraCmds", "Cmds"]
    assert [len(each["Cmds"]) for each in value["ExtraCmds"]] == [1, 2, 1]
    assert value["Cmds"][0]["Cmd"] == "1"
    assert again(shell, (2, 2)) == shell
    assert "ExtraCmds" not in written(script("1"))


def test_older_peers_take_one_statement_only() -> None:
    """Statement B23."""
    with pytest.raises(LocalProtocolError, match=r"2\.2"):
        write_powershell(script("1").then(script("2")), (2, 1))


@pytest.mark.parametrize("statements", [(), ((),), ((Command("a"),), ())])
def test_an_empty_statement_is_our_mistake(statements: Any) -> None:
    with pytest.raises(LocalProtocolError):
        write_powershell(PowerShell(statements=statements), (2, 3))


def test_using_values_travel_under_their_source_text() -> None:
    """Statement C37."""
    key = base64.b64encode("$using:name".encode("utf-16-le")).decode()
    assert using_key("$using:Name") == using_key("NAME") == key
    whole = "$using:h.A"
    assert using_key("h.A") == base64.b64encode(whole.encode("utf-16-le")).decode()
    with pytest.raises(LocalProtocolError):
        using_key("$name")
    shell = script("$using:name", using={"name": 5})
    (parameter,) = shell.statements[0][0].parameters
    assert (parameter.name, parameter.value) == (USING, {key: 5})
    assert again(shell) == shell
    assert str(shell) == "$using:name"


def test_the_real_client_passes_using_values_the_same_way() -> None:
    """Statement C37."""
    found = []
    for each in out_of_process(WHOLE / "outofproc" / "sessions" / "arguments.jsonl"):
        event = decode(each.message)[1]
        if isinstance(event, e.CreatePipeline):
            found += [
                parameter
                for statement in event.powershell.statements
                for one in statement
                for parameter in one.parameters
                if parameter.name == USING
            ]
    keys = {key for parameter in found for key in parameter.value}
    assert keys
    for key in keys:
        text = base64.b64decode(key).decode("utf-16-le")
        assert key == using_key(text) == next(iter(using_values({text: 1})))


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (command("Get-Date"), "Get-Date"),
        (command("a", 1, 2.5, True, None, "two words"), "a 1 2.5 $true $null 'two words'"),
        (command("a", "it's", ["x", 1], []), "a 'it''s' x,1 <list>"),
        (command("a", Force=True, Name="b", Off=False), "a -Force -Name b -Off $false"),
        (command("a", SecureString("secret"), b"x"), "a <SecureString> <bytes>"),
        (command("a", PSObject(to_string="Wait"), PSObject(), [b""]), "a 'Wait' <PSObject> <list>"),
        (Command("a", parameters=(Parameter("-Name", 1),)), "a -Name 1"),
        (script("1").then(command("b") | command("c")), "1; b | c"),
    ],
)
def test_a_command_line_in_words(made: Command | PowerShell, shown: str) -> None:
    assert str(made) == shown


def test_recorded_command_lines_read_well() -> None:
    lines = set()
    for each in everything():
        if each.file == "hello.jsonl":
            event = decode(each.message)[1]
            if isinstance(event, e.CreatePipeline):
                lines.add(str(event.powershell))
    assert "__Set-PSDebugMode -Mode 'LocalScript, RemoteScript'" in lines


MEMBERS = ["Cmds", "IsNested", "History", "RedirectShellErrorOutputPipe"]
COMMAND_MEMBERS = ["Cmd", "IsScript", "UseLocalScope", "MergeMyResult", "Args"]


@pytest.mark.parametrize("name", MEMBERS)
def test_a_powershell_without_a_member_is_refused(name: str) -> None:
    value = write_powershell(script("1"), (2, 3))
    del value.extended[name]
    with pytest.raises(MessageError) as caught:
        read_powershell(value)
    assert caught.value.element == name


@pytest.mark.parametrize("name", COMMAND_MEMBERS)
def test_a_command_without_a_member_is_refused(name: str) -> None:
    value = write_powershell(script("1"), (2, 3))
    del value["Cmds"][0].extended[name]
    with pytest.raises(MessageError) as caught:
        read_powershell(value)
    assert caught.value.element == name


def test_the_newer_merges_may_be_missing() -> None:
    """Statement C28."""
    value = write_powershell(script("1"), (2, 0))
    assert read_powershell(value) == script("1")
    value["Cmds"][0].extended["MergeMyResult"] = 99
    (first,) = read_powershell(value).statements[0]
    assert first.merge_my_result == 99


def test_an_empty_list_of_commands_is_refused() -> None:
    value = write_powershell(script("1"), (2, 3))
    value["Cmds"].clear()
    with pytest.raises(MessageError, match="without a command"):
        read_powershell(value)
