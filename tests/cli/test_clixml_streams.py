"""`psrp clixml` and `psrp decode` with long files: memory, first output, the same errors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psremoting.cli.json_elements import JsonElements, JsonError
from tests.cli.test_clixml_command import run
from tests.fuzz.mutator import mutated

OBJS = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
TEXT = "lorem ipsum " * 40
#: The first objects of `Get-ChildItem | Export-Clixml` are named by all others.
FIRST = (
    '<Obj RefId="0"><TN RefId="0"><T>File</T></TN>'
    '<MS><Obj N="Drive" RefId="1"><MS /></Obj></MS></Obj>'
)
MEGABYTES = 24
LIMIT = 70 << 20

MEASURED = """
import sys
from psremoting.cli.main import main
try:
    main(sys.argv[1:])
finally:
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            sys.stderr.write(line)
"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured with /proc")


def objects(count: int) -> str:
    """Return a document of objects that refer to an object of the first one."""
    rest = (
        f'<Obj RefId="{at}"><TNRef RefId="0" /><ToString>{at} object</ToString>'
        f'<MS><S N="Name">{at}</S><S N="Text">{TEXT}</S>'
        '<Ref N="Drive" RefId="1" /></MS></Obj>\n'
        for at in range(2, count)
    )
    return "".join((OBJS, FIRST, *rest, "</Objs>"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    document = objects((MEGABYTES << 20) // 590)
    assert len(document) > MEGABYTES << 20
    (folder / "objects.xml").write_text(document)
    forms = (
        {"$type": "PSCustomObject", "extended": {"at": at, "text": TEXT}} for at in range(45_000)
    )
    (folder / "objects.json").write_text(json.dumps(list(forms)))
    return folder


def measured(*arguments: object, data: Path) -> tuple[int, int, int]:
    """Run psrp; return its exit code, the size of its output and its largest memory."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    with (
        data.open("rb") as source,
        subprocess.Popen(command, stdin=source, stdout=PIPE, stderr=PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        size = 0
        while piece := process.stdout.read(1 << 20):
            size += len(piece)
        told = process.stderr.read()
        peak = re.search(rb"VmHWM:\s*(\d+) kB", told)
        assert peak is not None, told
        return process.wait(), size, int(peak[1]) << 10


@linux
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["clixml", "to-json", "FILE"], id="to-json"),
        pytest.param(["clixml", "to-json", "-"], id="to-json, standard input"),
        pytest.param(["clixml", "to-json", "--plain", "--compact", "FILE"], id="plain"),
        pytest.param(["clixml", "format", "FILE"], id="format"),
        pytest.param(["clixml", "text", "FILE"], id="text"),
        pytest.param(["decode", "--json", "FILE"], id="decode"),
    ],
)
def test_a_long_document_needs_memory_for_one_value(command: list[str], folder: Path) -> None:
    file = folder / "objects.xml"
    code, size, memory = measured(
        *(file if word == "FILE" else word for word in command), data=file
    )
    assert code == 0
    assert size > 100_000
    assert memory < LIMIT


@linux
def test_a_long_json_array_needs_memory_for_one_element(folder: Path) -> None:
    file = folder / "objects.json"
    assert file.stat().st_size > 20 << 20
    code, size, memory = measured("clixml", "from-json", file, data=file)
    assert (code, size > 20 << 20) == (0, True)
    assert memory < LIMIT


@linux
def test_a_value_over_the_limit_is_refused_with_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "giant.xml"
    file.write_text(f"{OBJS}<I32>1</I32><S>{'x' * (40 << 20)}</S></Objs>")
    code, _, memory = measured("clixml", "to-json", "--max-value", "8", file, data=file)
    assert code == 2
    assert memory < LIMIT
    ran = run("to-json", "--max-value", "8", file)
    assert ran.stdout == "[\n  1\n]\n"
    assert f"a value of more than {8 << 20} characters (character {len(OBJS) + 12})" in ran.stderr
    assert run("to-json", "--max-value", "64", "--compact", file).exit_code == 0


@pytest.mark.parametrize(
    ("command", "begin", "first"),
    [
        (["clixml", "to-json", "-"], f"{OBJS}<I32>1</I32><I32>2</I32>", b"[\n  1,\n  2"),
        (["clixml", "format", "-"], f"{OBJS}<I32>1</I32>", b"<I32>1</I32>"),
        (["clixml", "text"], f"#< CLIXML\n{OBJS}<S S='Error'>bad</S>", b"bad"),
        (["clixml", "from-json", "-"], "[1,", b"<I32>1</I32>"),
        (["decode", "-"], f"#< CLIXML\n{OBJS}<I32>1</I32>\n", b"clixml:value"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_value_is_shown_before_the_pipe_ends(
    command: list[str], begin: str, first: bytes
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from psremoting.cli.main import main; main()", *command],
        stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(begin.encode())
    process.stdin.flush()
    shown = b""
    while first not in shown:
        piece = process.stdout.read1(4096)  # type: ignore[attr-defined]
        assert piece, shown
        shown += piece
    process.stdin.close()
    process.stdout.read()
    process.stdout.close()
    process.wait()


def test_objects_of_a_pipe_are_written_twice_at_most_and_then_referred_to(tmp_path: Path) -> None:
    document = objects(6)
    file = tmp_path / "file"
    file.write_text(document)
    from_file = json.loads(run("to-json", file).stdout)
    from_pipe = json.loads(run("to-json", "-", stdin=document.encode()).stdout)
    assert [each.get("extended", {}).get("Drive") for each in from_file] == [
        {"$type": "Object", "$id": 1}, *[{"$ref": 1}] * 4,
    ]  # fmt: skip
    assert [each.get("extended", {}).get("Drive") for each in from_pipe] == [
        {"$type": "Object"}, {"$type": "Object", "$id": 1}, *[{"$ref": 1}] * 3,
    ]  # fmt: skip
    formatted = run("format", "-", stdin=document.encode()).stdout
    assert formatted == run("format", file).stdout
    assert formatted.count('<Ref N="Drive" RefId="1" />') == 4


def test_unfolding_is_limited_for_all_values_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("psremoting.cli.plainjson.MOST", 3000)
    items = '<Obj RefId="1"><LST>' + "<I32>1</I32>" * 1000 + "</LST></Obj>"
    file = tmp_path / "file"
    file.write_text(f"{OBJS}{items * 4}</Objs>")
    assert run("to-json", "--plain", file).exit_code == 0
    again = '<Ref RefId="1" />' * 20
    file.write_text(f"{OBJS}{items}{again * 10}</Objs>")
    ran = run("to-json", "--plain", file)
    assert ran.exit_code == 2
    assert "more than 3000 values" in ran.stderr
    assert len(json.loads(ran.stdout)) > 3


def test_values_before_damaged_json_are_written(tmp_path: Path) -> None:
    ran = run("from-json", "-", stdin=b'[1, {"a": 2}, nonsense]')
    assert ran.exit_code == 2
    assert "not JSON: Expecting value: line 1 column 15 (char 14)" in ran.stderr
    assert "<I32>1</I32>" in ran.stdout
    assert ran.stdout.endswith("</Objs>\n")
    wide = run("from-json", "-", stdin=b"[1, \xff]")
    assert "not UTF-8: byte 4" in wide.stderr


def test_numbered_values_of_json_have_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = [{"$type": "list", "$id": at, "items": ["x" * 300_000]} for at in range(1, 20)]
    ran = run("from-json", "--max-value", "1", "-", stdin=json.dumps(forms).encode())
    assert ran.exit_code == 2
    assert "the values with an $id need too much memory" in ran.stderr


# -- the elements of a JSON text


def elements(pieces: list[str], most: int = 10**6) -> tuple[list[Any], str | None]:
    """Return the values of a text in pieces, and the error after them."""
    reader, found = JsonElements(most), []
    try:
        for at, piece in enumerate([*pieces, ""]):
            reader.receive_text(piece)
            while (value := reader.next_value(last=at == len(pieces))) is not None:
                found.append(value[0])
    except JsonError as error:
        return found, str(error)
    return found, None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON, st.integers(1, 30), st.sampled_from([None, 2]))
def test_the_elements_of_an_array_are_its_values(value: Any, size: int, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    expected = value if isinstance(value, list) else [value]
    assert elements(pieces) == (expected, None)


def test_errors_of_json_are_those_of_the_whole_text() -> None:
    corpus = [
        b'[1, "a,]", {"b": [2, null]}, "\\"\\\\", -1.5e3]',
        b'{"a": [1, "x"]}',
        b"[]",
        b" [\n1,\n 2]\n",
    ]
    refused = 0
    for data in islice(mutated(corpus, 5), 600):
        text = data.decode("utf-8", "replace")
        try:
            value, error = json.loads(text), None
        except RecursionError:
            continue
        except json.JSONDecodeError as found:
            value, error = None, f"not JSON: {found}"
        if error is None:
            expected = value if isinstance(value, list) else [value]
            assert repr(elements([text])) == repr((expected, None))
            continue
        refused += 1
        for size in (1, 5, 10**6):
            ours = elements([text[at : at + size] for at in range(0, len(text), size)])[1]
            assert ours is not None
            assert ours == error or text.lstrip().startswith("[")
            assert re.search(r"line \d+ column \d+ \(char \d+\)$", ours)
    assert refused > 100


@pytest.mark.parametrize(
    "text",
    ["", " \n", "[1 2]", "[1,\n 2,]", "[1,\n2", "[", "[1] x", "{} 1", '["a', "nul", "[1,\n\n tru]"],
)
def test_an_error_of_json_names_the_place_of_the_whole_text(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    _, found = elements(list(text))
    assert found is not None
    place = str(caught.value).rpartition(": line ")[2]
    if sys.version_info < (3, 13) or text != "[1,\n 2,]":
        assert found.endswith(f": line {place}")


def test_a_long_json_element_is_refused() -> None:
    assert elements(['["', *["x" * 100] * 30], most=1000) == (
        [],
        "a value of more than 1000 characters",
    )
