"""Writing and reading CLIXML: ours, psrpcore and pypsrp with the same values and documents.

psrpcore and pypsrp are driven as their own pools drive them: serialize to a tree and print it,
parse a tree and deserialize it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

from psrpcore import types
from pypsrp.serializer import Serializer

from bench import bodies
from bench.report import OURS, Clock, Row, Table, growth
from bench.values import noise, our_mixed
from psrp import clixml

WRITE, READ = "write", "read"
OTHERS = ("psrpcore", "pypsrp")

#: PowerShell 7.6.5, PSSerializer in process, best of 7, on another machine of the same size.
POWERSHELL = {
    "10 000 ints": ("13-17 ms", "4.6-5 ms"),
    "10 000 short strings": ("15-20 ms", "4.8-6.3 ms"),
    "1 000 objects x 10": ("22 ms", "15 ms"),
    "8 MiB string": ("56 ms", "33-51 ms"),
    "8 MiB of bytes": ("20-78 ms", "57-84 ms"),
}
#: Aims as multiples of psrpcore's speed: write, read.
AIMS = {
    "10 000 ints": ("5x", "15x"),
    "10 000 short strings": ("5x", "15x"),
    "1 000 objects x 10": ("15x", "18x"),
}


class NoSecrets(types.PSCryptoProvider):
    """A key holder, which psrpcore requires even without a SecureString."""

    def register_key(self, key: bytes) -> None:
        raise NotImplementedError

    def encrypt(self, value: bytes) -> str:
        raise NotImplementedError

    def decrypt(self, value: str) -> bytes:
        raise NotImplementedError


NO_SECRETS = NoSecrets()


def psrpcore_write(value: Any) -> bytes:
    tree = types.serialize(value, NO_SECRETS)
    return ElementTree.tostring(tree, encoding="utf-8", method="xml")


def psrpcore_read(document: bytes) -> Any:
    return types.deserialize(ElementTree.fromstring(document), NO_SECRETS)


def pypsrp_write(value: Any) -> bytes:
    tree = Serializer().serialize(value)
    return ElementTree.tostring(tree, encoding="utf-8", method="xml")


def pypsrp_read(document: bytes) -> Any:
    return Serializer().deserialize(document.decode())


def measure(body: bodies.Body, clock: Clock) -> list[Row]:
    document = clixml.dumps(body.ours)
    if clixml.loads(document) != body.ours:
        raise AssertionError(f"{body.name} does not survive")

    def row(case: str, who: str, work: Callable[[Any], object], value: Any) -> Row:
        seconds = clock.simple(lambda: work(value))
        named = f"{body.name}, {case}"
        return Row(subject="clixml", case=named, who=who, seconds=seconds, size=len(document))

    return [
        row(WRITE, OURS, clixml.dumps, body.ours),
        row(WRITE, "psrpcore", psrpcore_write, body.psrpcore),
        row(WRITE, "pypsrp", pypsrp_write, body.pypsrp),
        row(READ, OURS, clixml.loads, document),
        row(READ, "psrpcore", psrpcore_read, document),
        row(READ, "pypsrp", pypsrp_read, document),
    ]


def by_case(figures: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Convert body -> (write, read) to case -> figure."""
    return {
        f"{name}, {case}": figure
        for name, pair in figures.items()
        for case, figure in zip((WRITE, READ), pair, strict=True)
    }


def table(clock: Clock) -> Table:
    return Table(
        title="CLIXML: write a value, read our document of it",
        rows=[row for body in bodies.all_bodies() for row in measure(body, clock)],
        others=OTHERS,
        aims=by_case(AIMS),
        elsewhere=by_case(POWERSHELL),
        notes=[
            "aim: against psrpcore",
            "* PowerShell 7.6.5 itself, measured elsewhere on a machine of the same size",
        ],
    )


def growing(clock: Clock, *, quick: bool) -> list[str]:
    """Return the nanoseconds per byte of document for growing values; they must not grow."""
    scale = (1, 10) if quick else (1, 10, 100)
    cases: list[tuple[str, Callable[[int], Any], int]] = [
        ("ints", bodies.integers, 1000),
        ("short strings", bodies.strings, 1000),
        ("objects", lambda count: [our_mixed(number) for number in range(count)], 100),
        ("one string", bodies.text, bodies.MIB // 2),
        ("bytes", noise, bodies.MIB // 2),
    ]
    found = []
    for name, make, least in cases:
        points: dict[str, list[tuple[str, float, int]]] = {WRITE: [], READ: []}
        for factor in scale:
            value = make(least * factor)
            document = clixml.dumps(value)
            size = len(document)
            written = clock.simple(lambda value=value: clixml.dumps(value))
            read = clock.simple(lambda document=document: clixml.loads(document))
            points[WRITE].append((f"{size / 1e3:.0f} kB", written, size))
            points[READ].append((f"{size / 1e3:.0f} kB", read, size))
        found += [(f"{name}, {case}", points[case]) for case in (WRITE, READ)]
    sources = [bytearray(bodies.MIB // 2 * factor) for factor in scale]
    copied = [
        (f"{len(s) / 1e3:.0f} kB", clock.simple(lambda s=s: bytes(s)), len(s)) for s in sources
    ]
    found.append(("memcpy", copied))
    return growth("CLIXML: nanoseconds per byte of document", found)
