"""The completion scripts for shells, and their results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from psremoting.cli.main import main
from psremoting.cli.shell_completion import kebab_case, known_hosts

BIN = Path(sys.executable).parent
#: Arguments of each shell to check a script without running it.
CHECK = {"bash": "-n", "zsh": "-n", "fish": "-n"}

IN_BASH = """
source <(psrp completion bash)
COMP_WORDS=({words}) COMP_CWORD={at} COMPREPLY=()
compopt() {{ local IFS=' '; echo "compopt $*"; }}
_psrp_completion psrp
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def script(shell: str) -> str:
    ran = CliRunner().invoke(main, ["completion", shell])
    assert ran.exit_code == 0, ran.output
    return ran.output


def completed(home: Path, *words: str) -> list[str]:
    """Return the completions of a real bash for ``psrp words...`` with the cursor at the end."""
    quoted = " ".join(f"'{word}'" for word in ("psrp", *words))
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "--norc", "-c", IN_BASH.format(words=quoted, at=len(words))],
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in ran.stdout.splitlines() if line]


@pytest.mark.parametrize("shell", CHECK)
def test_each_shell_gets_a_script_that_calls_psrp(shell: str) -> None:
    text = script(shell)
    assert f"_PSRP_COMPLETE={shell}_complete" in text
    assert "_psrp_completion" in text


@pytest.mark.parametrize("shell", CHECK)
def test_a_shell_can_read_its_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    path = tmp_path / "script"
    path.write_text(script(shell))
    ran = subprocess.run([program, CHECK[shell], str(path)], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_unknown_shell_is_refused() -> None:
    ran = CliRunner().invoke(main, ["completion", "tcsh"])
    assert ran.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in ran.output


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["de"], ["decode"]),
        (["clixml", "to"], ["to-json"]),
        (["clixml", "to-json", "--pl"], ["--plain"]),
        (["decode", "--color", "al"], ["always"]),
        (["decode", "fix"], ["compopt -o default"]),
        (["enter", "--key-file-path", ""], ["compopt -o default"]),
        (["Enter-PS"], ["Enter-PSSession"]),
        (["Enter-PSSession", "-HostN"], ["-HostName"]),
        (["Enter-PSSession", "--key-"], ["--key-file-path"]),
        (["invoke", "serv"], ["server01"]),
        (["enter", "me@lab"], ["me@lab"]),
        (["enter", "lo"], ["local"]),
        (["nothing-like-it"], []),
    ],
    ids=" ".join,
)
def test_bash_completes_commands_options_and_hosts(
    words: list[str], expected: list[str], tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host lab *.example\n  HostName 10.0.0.1\n")
    (tmp_path / ".ssh" / "known_hosts").write_text("server01,10.0.0.2 ssh-ed25519 AAAA\n")
    assert completed(tmp_path, *words) == expected


def test_all_commands_are_listed_without_loading_them() -> None:
    ask = "from psremoting.cli.main import main; import sys\n\
try: main(prog_name='psrp')\n\
finally: print(*sys.modules)"
    variables = {"_PSRP_COMPLETE": "bash_complete", "COMP_WORDS": "psrp\n", "COMP_CWORD": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", ask],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    *listed, loaded = ran.stdout.splitlines()
    assert {"plain,enter", "plain,invoke", "plain,completion"} <= set(listed)
    assert not {"trio", "lxml", "cryptography", "prompt_toolkit"} & set(loaded.split())


def test_hosts_are_those_that_stand_there_by_name(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("# Host no\nHost=alpha beta\nhost gam?a !delta\nUser x\n")
    (tmp_path / "known_hosts").write_text(
        "|1|hash=|hash= ssh-rsa A\n@revoked evil ssh-rsa A\n[omega]:22 ssh-rsa A\n\n"
        "zeta,192.0.2.1 ssh-rsa A\n"
    )
    assert known_hosts(str(tmp_path)) == ["192.0.2.1", "alpha", "beta", "zeta"]
    assert known_hosts(str(tmp_path / "missing")) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [("KeyFilePath", "key-file-path"), ("VMId", "vm-id"), ("UseSSL", "use-ssl"), ("Id", "id")],
)
def test_a_parameter_in_kebab_case(name: str, expected: str) -> None:
    assert kebab_case(name) == expected
