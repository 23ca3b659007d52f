"""One session configuration file, served by a real PowerShell and by our functions engine: the same
visible commands, the same refusals. spec-notes/configuration-files.md
"""

from __future__ import annotations

import getpass
import random
import re
import shlex
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from psremoting import PSRemotingError, sync
from psremoting.configuration_files.file_writing import (
    FILE_ENCODING,
    session_configuration_text,
)
from psremoting.powershell.data_language import write_data
from psremoting.powershell.string_conversion import to_text
from psrp.clixml import Dictionary, List, ScriptBlock
from tests.house.source import ROOT
from tests.live.configured_functions import DEFINITIONS

TIME_LIMIT = 300
_FILES = 44
_LINES = (
    "Get-Zalpha",
    "Get-Zalpha -Name one",
    "Get-Zalpha -Name two -Count 2",
    "Get-Zalpha -Count 7",
    "Get-Zbeta -Items one,two",
    "Get-Zbeta one -Loud",
    "Get-Zbeta -Items three",
    "Set-Zgamma -Path /one",
    "Set-Zgamma -Path two -Value x",
    "Test-Zdelta",
    "zal",
    "zal -Name two",
    "zmiss",
    "gcm Test-Zdelta",
    "TabExpansion2 x",
    "Get-Zalpha -Name ONE",
)
_FOR_NAMES = ("one", "two", "/one", "tw.*", "[a-z]{3}", "o.e|t.o", "")


def _definitions() -> list[Dictionary]:
    return [
        Dictionary({"Name": name, "ScriptBlock": ScriptBlock(body)})
        for name, body in DEFINITIONS.items()
    ]


def _visible(pick: random.Random) -> list[Any]:
    found: list[Any] = pick.sample([*DEFINITIONS, "Get-Z*", "*-Zd*", "Get-ZB*", "No-Such"], 2)
    if pick.random() < 0.7:
        found.append(_restriction(pick))
    return found


def _restriction(pick: random.Random) -> Dictionary:
    name, parameters = pick.choice(
        [("Get-Zalpha", ["Name", "Count"]), ("Get-Zbeta", ["Items", "Loud"]),
         ("Set-Zgamma", ["Path", "Value"]), ("get-zalpha", ["name"])]
    )  # fmt: skip
    made = []
    for parameter in parameters[: pick.randint(1, 2)]:
        entry: dict[str, Any] = {"Name": parameter}
        kind = pick.choice(["ValidateSet", "ValidatePattern", "", "ValidateSet"])
        if kind and parameter not in ("Loud", "Count"):
            entry[kind] = [each for each in pick.sample(_FOR_NAMES, 2) if each] or ["one"]
        made.append(Dictionary(entry))
    return Dictionary({"Name": name, "Parameters": made})


def _file(number: int) -> dict[str, Any]:
    """Return the keys of a file, always the same for a number."""
    pick = random.Random(number)
    keys: dict[str, Any] = {
        "SchemaVersion": "2.0.0.0",
        "SessionType": pick.choice(["RestrictedRemoteServer"] * 4 + ["restrictedremoteserver"]),
        "FunctionDefinitions": _definitions(),
    }
    if pick.random() < 0.75:
        keys["VisibleFunctions"] = _visible(pick)
    if pick.random() < 0.3:
        keys["VisibleCmdlets"] = _visible(pick)
    if pick.random() < 0.6:
        keys["AliasDefinitions"] = [
            Dictionary({"Name": "zal", "Value": "Get-Zalpha"}),
            Dictionary({"Name": "zmiss", "Value": "Get-Zmissing"}),
        ]
    if pick.random() < 0.3:
        keys["VisibleAliases"] = pick.choice(["zal", "z*", ["gcm", "nosuch"]])
    if pick.random() < 0.3:
        keys["EnvironmentVariables"] = Dictionary({"A": "1"})
    if pick.random() < 0.3:
        keys["VariableDefinitions"] = Dictionary({"Name": "v", "Value": "1"})
    return keys


_RENAMED = re.compile(r".*_[0-9a-f]{32}")
"""A function that PowerShell has wrapped: a wildcard shows the original, without limits. Ours does
not."""
_REFUSED: dict[str, Any] = {
    "an unknown key": {"Foo": 1},
    "a visible command of another type": {"VisibleCmdlets": 5},
    "a visible command without parameters": {"VisibleFunctions": Dictionary({"Name": "x"})},
    "a parameter without a name": {
        "VisibleFunctions": Dictionary({"Name": "x", "Parameters": Dictionary({"a": "b"})})
    },
    "another session type": {"SessionType": "Foo"},
}


_OTHER_TEXT = ("an unknown key", "another session type")
"""Faults for which we use the text of Test-PSSessionConfigurationFile, which has the place."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("configured")


def _ours(path: Path) -> str:
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "from psremoting.cli.main import main; main(prog_name='psrp')"
    )
    words = [sys.executable, "-c", start, "serve", "--stdio", "--functions"]
    words += ["tests.live.configured_functions:COMMANDS", "--configuration-file", str(path)]
    return f"process:{shlex.join(words)}"


def _theirs(pwsh: str, path: Path) -> str:
    words = [pwsh, "-s", "-NoLogo", "-NoProfile", "-ConfigurationFile", str(path)]
    return f"process:{shlex.join(words)}"


def _seen(target: str) -> dict[str, Any]:
    """Return the visible commands, and the output and the error of each line."""
    try:
        return _seen_in_session(target)
    except PSRemotingError as error:
        text = str(error)
        for head in ("Remote transport error: ", f"{Path(target).stem}: "):
            text = text.rpartition(head)[2]
        return {"refused": text.rstrip(".")}


def _seen_in_session(target: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with sync.connect(target) as session:
        listed = session.run("Get-Command -CommandType All")
        names = {to_text(each).casefold() for each in listed.output}
        found["commands"] = sorted(each for each in names if not _RENAMED.fullmatch(each))
        for line in _LINES:
            result = session.run(line)
            out = [to_text(each) for each in result.output]
            errors = [(each.fully_qualified_error_id, each.message) for each in result.errors]
            found[line] = out, errors
    return found


@pytest.mark.parametrize("number", range(_FILES))
def test_a_file_shows_and_refuses_the_same(number: int, folder: Path, pwsh: str) -> None:
    path = folder / f"file{number}.pssc"
    path.write_text(write_data(Dictionary(_file(number))), "utf-8")
    theirs, ours = _seen(_theirs(pwsh, path)), _seen(_ours(path))
    differing = {each: (theirs[each], ours[each]) for each in ours if ours[each] != theirs[each]}
    assert differing == {}


@pytest.mark.parametrize("why", _REFUSED)
def test_a_file_is_refused_with_the_same_text(why: str, folder: Path, pwsh: str) -> None:
    keys = {"SchemaVersion": "2.0.0.0", "SessionType": "RestrictedRemoteServer"} | _REFUSED[why]
    path = folder / "refused.pssc"
    path.write_text(write_data(Dictionary(keys)), "utf-8")
    theirs, ours = _seen(_theirs(pwsh, path)), _seen(_ours(path))
    assert ours.keys() == theirs.keys() == {"refused"}
    if why not in _OTHER_TEXT:
        assert ours == theirs


def test_a_file_that_we_write_starts_a_real_server(folder: Path, pwsh: str) -> None:
    path = folder / "written.pssc"
    values = {
        "SessionType": "RestrictedRemoteServer",
        "VisibleCmdlets": List(["Get-Date"]),
        "FunctionDefinitions": List(_definitions()),
        "EnvironmentVariables": Dictionary({"A": "1"}),
        "MountUserDrive": True,
    }
    text = session_configuration_text(values, author="me", guid=str(uuid4()), file="x", full=False)
    path.write_bytes(text.encode(FILE_ENCODING))
    with sync.connect(_theirs(pwsh, path)) as session:
        assert session.run("Get-Date -Year 2020 -Format yyyy").output == ["2020"]
        assert session.run("Test-Zdelta").output == ["delta"]
        assert session.run("Get-Process").had_errors


def test_roles_decide_what_a_powershell_shows(folder: Path, pwsh: str) -> None:
    user = getpass.getuser()
    role = folder / "role.psrc"
    role.write_text("@{ VisibleCmdlets = @{ Name='Get-Random'; Parameters=@{ Name='Maximum'; "
                    "ValidateSet='1' } } }", "utf-8")  # fmt: skip
    path = folder / "roles.pssc"
    path.write_text(
        "@{ SchemaVersion='2.0.0.0'; SessionType='RestrictedRemoteServer'; RoleDefinitions=@{"
        f" '{user}'=@{{ VisibleCmdlets='Get-Date'; RoleCapabilityFiles='{role}' }};"
        " 'nobody else'=@{ VisibleCmdlets='Get-Process' } } }",
        "utf-8",
    )
    start = "from psremoting.cli.main import main; main(prog_name='psrp')"
    words = [sys.executable, "-c", start, "serve", "--stdio", "--configuration-file", str(path)]
    words += ["--process", f"{pwsh} -s -NoLogo -NoProfile"]
    with sync.connect(f"process:{shlex.join(words)}") as session:
        assert session.run("Get-Date -Year 2020 -Format yyyy").output == ["2020"]
        assert session.run("Get-Random -Maximum 1").output == [0]
        for line in ("Get-Random -Maximum 2", "Get-Random", "Get-Process"):
            result = session.run(line)
            assert result.had_errors == (line != "Get-Random"), line
