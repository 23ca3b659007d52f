"""The engine of a session configuration for one user: commands, program, user, environment."""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from psremoting.administration.configurations import (
    AdministrationError,
    ConnectedUser,
    EngineKind,
    SessionConfiguration,
    TransportOption,
)
from psremoting.configuration_files import read_configuration_file
from psremoting.endpoint import program_launcher
from psremoting.endpoint.configured_engine import engine_for, is_role_of
from psremoting.endpoint.configured_process import ConfiguredProcess
from psremoting.endpoint.functions import FunctionsEngine
from psremoting.endpoint.sender import local_sender
from tests.endpoint.clients import connected

_SELF = pwd.getpwuid(os.geteuid()).pw_name
_ANNA = ConnectedUser(
    name="anna", groups=frozenset({"operators"}), sids=frozenset({"S-1-5-4"}), local_user=_SELF
)
_OTTO = ConnectedUser(name="otto", local_user=_SELF)


def _greet(name: str = "") -> str:
    return f"hello {name}"


def _count(items: list[str] = [], *, size: int = 0) -> str:  # noqa: B006
    return f"{len(items)} {size}"


COMMANDS = {"Get-Greeting": _greet, "Get-Count": _count, "Set-Thing": _greet}
_ROLES = (
    "@{ SchemaVersion='2.0.0.0'; SessionType='RestrictedRemoteServer'; VisibleFunctions='Get-G*';"
    " RoleDefinitions=@{ operators=@{ VisibleFunctions='Set-Thing', @{ Name='Get-Count';"
    " Parameters=@{ Name='Items'; ValidateSet='a','b' } } } } }"
)


def _configuration(
    tmp_path: Path, text: str = "", *, command: str = "", **more: Any
) -> SessionConfiguration:
    path = tmp_path / "test.pssc"
    if text:
        path.write_text(text)
    return SessionConfiguration(
        name="test",
        kind=EngineKind.PROCESS if command else EngineKind.FUNCTIONS,
        source=command or "tests.endpoint.test_configured_engine:COMMANDS",
        path=str(path) if text else "",
        **more,
    )


async def _names(engine: Any) -> set[str]:
    async with connected(engine) as client:
        result = await client.invoke("Get-Command")
        return {each["Name"] for each in result.output} & {*COMMANDS}


async def test_a_role_decides_which_commands_a_user_sees(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, _ROLES)
    assert await _names(engine_for(configuration, _OTTO)) == {"Get-Greeting"}
    assert await _names(engine_for(configuration, _ANNA)) == {*COMMANDS}


async def test_no_command_parameter_or_value_beyond_the_visible_ones_is_taken(
    tmp_path: Path,
) -> None:
    hidden = "CommandNotFoundException"
    lines = {
        "Get-Count -Items a,b": "",
        "Get-Count -Items a,c": "ParameterArgumentValidationError,Get-Count",
        "Get-Count -Size 3": "NamedParameterNotFound,Get-Count",
        "Get-Count -Items a -Si 3": "NamedParameterNotFound,Get-Count",
        "'a','z' | Get-Count": "InputObjectNotBound,Get-Count",
        "Get-Nothing": hidden,
        "tools\\Get-Nothing": hidden,
        "prompt": hidden,
        "TabExpansion2 Get-": hidden,
    }
    async with connected(engine_for(_configuration(tmp_path, _ROLES), _ANNA)) as client:
        for line, error_id in lines.items():
            result = await client.invoke(line)
            found = {each.fully_qualified_error_id for each in result.errors}
            if result.end.error is not None:
                found.add(result.end.error.fully_qualified_error_id)
            assert found == ({error_id} if error_id else set()), line
    async with connected(engine_for(_configuration(tmp_path, _ROLES), _OTTO)) as client:
        for line in ("Set-Thing", "set-thing x", "Get-Count", "x\\Set-Thing"):
            result = await client.invoke(line)
            assert not result.output, line
            (error,) = result.errors
            assert error.fully_qualified_error_id == hidden
        metadata = await client.invoke("Get-Command Set-Thing -ErrorAction SilentlyContinue")
        assert metadata.output == []


@pytest.mark.parametrize(
    ("role", "has"),
    [
        ("anna", True),
        ("operators", True),
        ("Operators", False),
        ("S-1-5-4", True),
        ("nt authority\\interactive", True),
        (".\\operators", True),
        ("ELSEWHERE\\operators", False),
        ("BUILTIN\\Administrators", False),
        ("", False),
    ],
)
def test_a_role_names_a_user_a_group_or_a_sid(role: str, has: bool) -> None:
    assert is_role_of(_ANNA, role) is has


def test_a_domain_is_the_realm_of_a_principal() -> None:
    user = ConnectedUser(name="anna@LAB.ORG")
    assert is_role_of(user, "lab.org\\anna")
    assert not is_role_of(user, "other\\anna")


async def test_required_groups_decide_who_gets_a_session(tmp_path: Path) -> None:
    text = "@{ SchemaVersion='2.0.0.0'; RequiredGroups=@{ Or='operators','x' } }"
    configuration = _configuration(tmp_path, text)
    assert isinstance(engine_for(configuration, _ANNA), FunctionsEngine)
    with pytest.raises(AdministrationError, match="otto is not a member of the groups"):
        engine_for(configuration, _OTTO)


_S = "SchemaVersion='2.0.0.0'"
_REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (f"@{{{_S}; RunAsVirtualAccount=$true}}", {}, r"line 1, column 28\): virtual accounts exist"),
    (f"@{{{_S}; GroupManagedServiceAccount='x'}}", {}, "exist on Windows only"),
    (f"@{{{_S}; ScriptsToProcess='/x.ps1'}}", {}, "cannot run the scripts"),
    (
        f"@{{{_S}; FunctionDefinitions=@{{ Name='F'; ScriptBlock={{}} }} }}".replace("{}", "{1}"),
        {},
        "cannot run the script block of 'F'",
    ),
    (
        f"@{{{_S}; VisibleCmdlets=@{{ Name='Get-Greeting'; Parameters=@{{ Name='Name'; "
        "ValidatePattern='(?<x>a)+' } } }",
        {},
        "cannot check the pattern",
    ),
    (f"@{{{_S}; Foo=1}}", {}, "The member 'Foo' is not a valid key"),
    ("@{ a = Get-Date }", {}, "a command is not data"),
    ("", {"run_as_user": "nobody"}, "RunAsCredential needs a program"),
    ("", {"startup_script": "/x.ps1"}, "cannot run the scripts"),
    (f"@{{{_S}}}", {"command": "/bin/cat"}, "takes no configuration file"),
    ("", {"command": "no-such-program"}, "was not found"),
    ("", {"command": "''"}, "was not found"),
    ("", {"command": "/bin/cat", "run_as_user": "no such user"}, "no local user"),
]


@pytest.mark.parametrize(("text", "more", "reason"), _REFUSED)
def test_what_an_engine_cannot_do_is_refused_with_the_reason(
    text: str, more: Mapping[str, Any], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(AdministrationError, match=reason):
        engine_for(_configuration(tmp_path, text, **more), _ANNA)


_SHOW = """
import json, os, sys
json.dump({"env": dict(os.environ), "cwd": os.getcwd(),
           "descriptors": [int(x) for x in os.listdir("/proc/self/fd")]}, sys.stdout)
"""


async def _started(engine: Any) -> dict[str, Any]:
    """Return what a program sees that the engine starts."""
    assert isinstance(engine, ConfiguredProcess)
    inner = engine.start(None)
    words = [*inner.argv[:5], sys.executable, "-c", _SHOW]
    done = await trio.run_process(words, env=inner.env, capture_stdout=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_a_program_gets_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSRP_PASSWORD", "secret")
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        seen = await _started(
            engine_for(
                _configuration(
                    tmp_path, command="/bin/cat", environment=(("GIVEN", "1"),),
                    working_directory=str(tmp_path),
                ),
                _ANNA,
            )
        )  # fmt: skip
    finally:
        os.close(descriptor)
    assert "secret" not in json.dumps(seen["env"])
    assert "SECRET_OF_THE_SERVER" not in seen["env"]
    assert seen["env"]["GIVEN"] == "1"
    assert seen["env"]["PSRP_CLIENT"] == "anna"
    assert seen["cwd"] == str(tmp_path.resolve())
    assert set(seen["descriptors"]) <= {0, 1, 2, 3}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_a_program_runs_as_another_user_with_limits(tmp_path: Path) -> None:
    configuration = _configuration(
        tmp_path, command="/bin/cat", run_as_user="nobody",
        transport_option=TransportOption(
            max_memory_per_session=512, max_processes_per_session=50
        ),
    )  # fmt: skip
    engine = engine_for(configuration, _ANNA)
    assert isinstance(engine, ConfiguredProcess)
    inner = engine.start(None)
    # /bin/sh, because another user may not be allowed to run this Python.
    words = [*inner.argv[:5], "/bin/sh", "-c", "id -u; id -G; ulimit -d; echo $USER"]
    done = await trio.run_process(words, env=inner.env, capture_stdout=True)
    user, groups, data, name = done.stdout.decode().splitlines()
    assert int(user) == pwd.getpwnam("nobody").pw_uid
    assert "0" not in groups.split()
    assert int(data) == 512 << 10
    assert name == "nobody"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_nothing_runs_as_root_for_a_client_who_is_not(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, command="/bin/sh -c 'id -u'")
    engine = engine_for(configuration, ConnectedUser(name="n", local_user="nobody"))
    assert isinstance(engine, ConfiguredProcess)
    inner = engine.start(None)
    done = await trio.run_process(inner.argv, env=inner.env, capture_stdout=True)
    assert int(done.stdout) == pwd.getpwnam("nobody").pw_uid
    with pytest.raises(AdministrationError, match="n is no user of this computer"):
        engine_for(configuration, ConnectedUser(name="n"))


def test_roles_are_applied_before_a_program_gets_the_file(tmp_path: Path) -> None:
    text = _ROLES.replace("RoleDef", "EnvironmentVariables=@{ A='b' }; RoleDef")
    configuration = _configuration(tmp_path, text, command="/bin/cat {configuration}")
    for user, count in ((_ANNA, 3), (_OTTO, 1)):
        engine = engine_for(configuration, user)
        assert isinstance(engine, ConfiguredProcess)
        folder = tmp_path / user.name
        folder.mkdir()
        path = Path(engine.start(str(folder)).argv[-1])
        assert path.stat().st_mode & 0o777 == 0o400
        made = read_configuration_file(path)
        made.check_for_server()
        visible = made.get("VisibleFunctions")
        assert (len(visible) if isinstance(visible, list) else 1) == count
        assert engine.env is not None
        assert engine.env["A"] == "b"


def test_the_file_of_a_session_is_removed_with_it(tmp_path: Path) -> None:
    configuration = _configuration(tmp_path, _ROLES, command="/bin/false {configuration}")
    engine = engine_for(configuration, _ANNA)
    folders: list[str] = []

    async def run() -> None:
        class Link:
            sender = local_sender()

            def wake(self) -> None: ...
            def report(self, text: str) -> None: ...
            def act_failed(self, *_: Any) -> None: ...
            def fail(self, text: str) -> None: ...

        session: Any = engine.open(Link())
        folders.append(session._folder)
        assert os.listdir(session._folder) == ["session.pssc"]
        await session.run()

    trio.run(run)
    assert not os.path.exists(folders[0])


def test_a_directory_that_was_asked_for_has_to_exist() -> None:
    with pytest.raises(OSError, match="/none"):
        program_launcher.change_directory("/none", required=True)
