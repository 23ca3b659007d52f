"""The public names that other projects use, and their signatures."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest

from tests.house.source import PACKAGES, ROOT

#: Module, name, and the arguments that a call must be able to pass.
CALLS = [
    ("psrp.clixml", "dumps", ("value",)),
    ("psrp.clixml", "loads", ("data",)),
    ("psrp.clixml", "dump_all", ("values",)),
    ("psrp.clixml", "load_all", ("data",)),
    ("psrp.clixml", "to_plain", ("value",)),
    ("psrp.fragments", "split", ("object_id", "message", "max_size")),
    ("psrp.strategies", "values", ()),
    ("psrp.strategies", "messages", ()),
    ("psrp.strategies", "fragments", ()),
]

VALUE_TYPES = """
    Int64 Byte SByte Int16 UInt16 UInt32 UInt64 Single Char DateTime DateTimeKind TimeSpan
    Version Uri ScriptBlock XmlDocument SecureString ProgressRecord PSObject
    List Dictionary Stack Queue Enumerable
"""

ERRORS = {
    "LocalProtocolError": "ProtocolError",
    "RemoteProtocolError": "ProtocolError",
    "ClixmlError": "RemoteProtocolError",
    "FragmentError": "RemoteProtocolError",
    "MessageError": "RemoteProtocolError",
    "UnexpectedMessage": "RemoteProtocolError",
    "LimitExceeded": "RemoteProtocolError",
}

#: The common methods of every machine, with their arguments.
VERBS = {
    "send": ("event",),
    "next_event": (),
    "data_to_send": ("room",),
    "send_failed": (),
}


@pytest.mark.parametrize(("module", "name", "arguments"), CALLS)
def test_a_public_function_takes_its_arguments(
    module: str, name: str, arguments: tuple[str, ...]
) -> None:
    found = getattr(importlib.import_module(module), name)
    signature = inspect.signature(found)
    signature.bind(*arguments)
    assert tuple(signature.parameters)[: len(arguments)] == arguments


@pytest.mark.parametrize("name", VALUE_TYPES.split())
def test_a_value_type_is_public(name: str) -> None:
    clixml = importlib.import_module("psrp.clixml")
    assert inspect.isclass(getattr(clixml, name))
    assert name in clixml.__all__


@pytest.mark.parametrize(("name", "base"), ERRORS.items())
def test_an_error_is_in_its_family(name: str, base: str) -> None:
    psrp = importlib.import_module("psrp")
    assert issubclass(getattr(psrp, name), getattr(psrp, base))


def test_the_defragmenter_has_its_verbs() -> None:
    fragments = importlib.import_module("psrp.fragments")
    assert "max_message" in inspect.signature(fragments.Defragmenter).parameters
    machine = fragments.Defragmenter(max_message=1000)
    machine.receive_data(b"".join(fragments.split(1, b"hello", 22)))
    assert machine.next_message() == b"hello"
    assert machine.next_message() is None


@pytest.mark.parametrize(("verb", "arguments"), VERBS.items())
def test_the_pool_has_the_verbs_of_every_machine(verb: str, arguments: tuple[str, ...]) -> None:
    pool = importlib.import_module("psrp").Pool
    parameters = tuple(inspect.signature(getattr(pool, verb)).parameters)[1:]
    assert parameters[: len(arguments)] == arguments


def test_the_pool_takes_its_side_first_and_bytes_first() -> None:
    pool = importlib.import_module("psrp").Pool
    assert next(iter(inspect.signature(pool).parameters)) == "side"
    assert tuple(inspect.signature(pool.receive_data).parameters)[1] == "data"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_is_typed_and_lists_what_exists(package: str) -> None:
    module = importlib.import_module(package)
    assert (ROOT / package / "py.typed").is_file()
    assert all(hasattr(module, name) for name in getattr(module, "__all__", ()))


def test_the_command_and_the_extras_are_declared() -> None:
    project = metadata("psremoting")
    assert {"kerberos", "testing", "dev"} <= set(project.get_all("Provides-Extra") or ())
    assert project["Requires-Python"] == ">=3.11"
    assert not any("hypothesis" in line for line in requires("psremoting") or () if ";" not in line)
    assert 'psrp = "psremoting.cli.entry:main"' in Path(ROOT, "pyproject.toml").read_text("utf-8")
    assert callable(importlib.import_module("psremoting.cli.entry").main)
    assert callable(importlib.import_module("psremoting.cli.main").main)
