"""Values of one element: their spelling, their range, and invalid text."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import (
    Byte,
    Char,
    Int16,
    Int64,
    PSObject,
    SByte,
    ScriptBlock,
    Single,
    UInt16,
    UInt32,
    UInt64,
    Uri,
    Version,
    XmlDocument,
    dumps,
    identical,
    loads,
)
from psrp.sansio import ClixmlError, LocalProtocolError
from tests.rows import rows


class Colour(IntEnum):
    RED = 3


@rows(
    ("value", "written"),
    [
        (None, "<Nil />"),
        (True, "<B>true</B>"),
        (False, "<B>false</B>"),
        (5, "<I32>5</I32>"),
        (-(2**31), "<I32>-2147483648</I32>"),
        (2**31, "<I64>2147483648</I64>"),
        (2**63, "<U64>9223372036854775808</U64>"),
        (Byte(255), "<By>255</By>"),
        (SByte(-128), "<SB>-128</SB>"),
        (Int16(-1), "<I16>-1</I16>"),
        (UInt16(1), "<U16>1</U16>"),
        (UInt32(1), "<U32>1</U32>"),
        (Int64(1), "<I64>1</I64>"),
        (UInt64(1), "<U64>1</U64>"),
        (b"", "<BA />"),
        (b"\x01\x02", "<BA>AQI=</BA>"),
        (bytearray(b"\0"), "<BA>AA==</BA>"),
        (memoryview(b"\0"), "<BA>AA==</BA>"),
        ("", "<S></S>"),
        (Char("a"), "<C>97</C>"),
        (Char("\ud800"), "<C>55296</C>"),
        (Uri("a b"), "<URI>a b</URI>"),
        (Version("1.2.3"), "<Version>1.2.3</Version>"),
        (ScriptBlock("a\n"), "<SBK>a_x000A_</SBK>"),
        (XmlDocument("<a/>"), "<XD>&lt;a/&gt;</XD>"),
        (Colour.RED, "<I32>3</I32>"),
        (UUID(int=10), "<G>00000000-0000-0000-0000-00000000000a</G>"),
        (datetime(2024, 1, 2, 3, 4, 5), "<DT>2024-01-02T03:04:05</DT>"),
        (datetime(2024, 1, 2, 3, 4, 5, 120000), "<DT>2024-01-02T03:04:05.12</DT>"),
        (datetime(999, 1, 2, tzinfo=UTC), "<DT>0999-01-02T00:00:00Z</DT>"),
        (
            datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            "<DT>2024-01-02T00:00:00-03:30</DT>",
        ),
        (timedelta(seconds=100), "<TS>PT1M40S</TS>"),
    ],
)
def test_a_value_is_spelled_as_powershell_does(value: Any, written: str) -> None:
    """Statement E51."""
    assert dumps(value).decode() == written
    assert dumps(loads(written)).decode() == written
    member = dumps(PSObject(extended={"n": value})).decode()
    tag = written[1:].partition(">")[0].removesuffix(" /")
    assert f'<{tag} N="n"{written[1 + len(tag) :]}' in member
    assert dumps(loads(member)).decode() == member


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (5.0, "5"),
        (1.5, "1.5"),
        (-1.5, "-1.5"),
        (0.0001, "0.0001"),
        (0.00001, "1E-05"),
        (1.25e-7, "1.25E-07"),
        (1e15, "1000000000000000"),
        (1e16, "10000000000000000"),
        (1.5e16, "15000000000000000"),
        (12345678901234567.0, "12345678901234568"),
        (1e17, "1E+17"),
        (1.5e300, "1.5E+300"),
        (5e-324, "5E-324"),
        (math.inf, "INF"),
        (-math.inf, "-INF"),
        (math.nan, "NaN"),
        (0.1, "0.1"),
    ],
)
def test_a_double_has_the_shortest_form(number: float, text: str) -> None:
    """Statement E54."""
    assert dumps(number).decode() == f"<Db>{text}</Db>"
    assert identical(loads(dumps(number)), number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (0.1, "0.1"),
        (1e8, "100000000"),
        (123456790.0, "123456790"),
        (1e9, "1E+09"),
        (1e-5, "1E-05"),
        (0.00025, "0.00025"),
        (1 / 3, "0.33333334"),
        (16777216.5, "16777216"),
        (3.4028235e38, "3.4028235E+38"),
        (1e39, "INF"),
        (-1e39, "-INF"),
        (math.nan, "NaN"),
    ],
)
def test_a_single_has_the_shortest_form_of_its_own(number: float, text: str) -> None:
    """Statement E54."""
    assert dumps(Single(number)).decode() == f"<Sg>{text}</Sg>"
    assert identical(loads(dumps(Single(number))), Single(number))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.000000059604644775390625", 1.0),
        ("1.000000059604644775390625000001", 1.0000001),
        ("1.000000178813934326171875", 1.0000002),
        ("1.000000178813934326171874999999", 1.0000001),
        ("-1.000000059604644775390625000001", -1.0000001),
        ("7.006492321624085354618e-46", 0.0),
        ("7.006492321624085354619e-46", 1e-45),
        (" 1024 ", 1024.0),
        ("INF", math.inf),
    ],
)
def test_a_single_is_rounded_once_not_twice(text: str, number: float) -> None:
    assert identical(loads(f"<Sg>{text}</Sg>"), Single(number))


@given(st.integers(0, 2**32 - 1))
def test_every_single_comes_back(bits: int) -> None:
    number = Single(struct.unpack(">f", struct.pack(">I", bits))[0])
    assert identical(loads(dumps(number)), number)


@given(st.floats())
def test_every_double_comes_back(number: float) -> None:
    assert identical(loads(dumps(number)), number)


@rows(
    ("written", "value"),
    [
        ("<Db>1.</Db>", 1.0),
        ("<Db>.5</Db>", 0.5),
        ("<Db> 1e5 </Db>", 1e5),
        ("<Db>+5</Db>", 5.0),
        ("<Db> 7 </Db>", 7.0),
        ("<Db>infinity</Db>", math.inf),
        ("<Db>-Infinity</Db>", -math.inf),
        ("<Db>nan</Db>", math.nan),
        ("<Sg>1e50</Sg>", Single("inf")),
        ("<I32> 5 </I32>", 5),
        ("<I32>+5</I32>", 5),
        ("<I32>-0</I32>", 0),
        ("<I32>&#53;</I32>", 5),
        (f"<I32>{'0' * 100}7</I32>", 7),
        (f"<I32>-{'0' * 5000}7</I32>", -7),
        ("<I32><![CDATA[7]]></I32>", 7),
        ("<I32 >7</I32 >", 7),
        ("<I32 x='y'>7</I32>", 7),
        ("<B> 1 </B>", True),
        ("<B>0</B>", False),
        ("<D>1.10</D>", Decimal("1.10")),
        ("<D> -.5 </D>", Decimal("-0.5")),
        ("<D>+1.</D>", Decimal("1")),
        ("<D>-0.00</D>", Decimal("0.00")),
        ("<D>0.00000000000000000000000000005</D>", Decimal("0E-28")),
        ("<D>0.000000000000000000000000000151</D>", Decimal("2E-28")),
        ("<D>1.00000000000000000000000000005</D>", Decimal("1.0000000000000000000000000000")),
        (f"<D>0.{'0' * 27}05{'0' * 200}1</D>", Decimal("1E-28")),
        (f"<D>9.{'9' * 40}</D>", Decimal("10.000000000000000000000000000")),
        ("<G>{00000000-0000-0000-0000-00000000000A}</G>", UUID(int=10)),
        ("<G>0000000000000000000000000000000a</G>", UUID(int=10)),
        ("<BA>A A\nE C</BA>", b"\0\x01\x02"),
        ("<BA />", b""),
        ("<BA>AA&#61;=</BA>", b"\0"),
        ("<BA>\n</BA>", b""),
        ("<C> 97 </C>", Char("a")),
        ("<Version> 1.2 </Version>", Version("1.2")),
        ("<S/>", ""),
        ("<S xml:space='preserve'> </S>", " "),
        ("<Nil></Nil>", None),
        ("<Nil> </Nil>", None),
        ("<I32>7</I32>\n ", 7),
        ("\n<I32>7</I32>", 7),
        ('<?xml version="1.0"?>\n<I32>7</I32>', 7),
        ("<!-- a --><I32>7</I32><!-- b --><?x?>", 7),
    ],
)
def test_other_spellings_are_read(written: str, value: Any) -> None:
    """Statements E54 and J112 (white space after the root; only we accept some before it)."""
    assert identical(loads(written), value)
    assert identical(loads(written.encode()), value)


@rows(
    "written",
    [
        "<I32></I32>",
        "<I32/>",
        "<I32>1.0</I32>",
        "<I32>1e3</I32>",
        "<I32>0x10</I32>",
        "<I32>1_0</I32>",
        "<I32>\u0661</I32>",
        "<I32>2147483648</I32>",
        f"<I32>{'9' * 50}</I32>",
        f"<I32>{'9' * 5000}</I32>",
        "<I32>- 5</I32>",
        "<I32>&x;</I32>",
        "<I32>5&#</I32>",
        "<By>256</By>",
        "<By>-1</By>",
        "<SB>128</SB>",
        "<I16>32768</I16>",
        "<U16>65536</U16>",
        "<U32>4294967296</U32>",
        "<I64>9223372036854775808</I64>",
        "<U64>18446744073709551616</U64>",
        "<C>65536</C>",
        "<C>a</C>",
        "<B>True</B>",
        "<B></B>",
        "<Db></Db>",
        "<Db>1,5</Db>",
        "<Db>1_0</Db>",
        "<Db>inf</Db>",
        "<Db>0x1p3</Db>",
        "<Db>\u0661</Db>",
        "<D>1e2</D>",
        "<D>.</D>",
        "<D>NaN</D>",
        "<D>79228162514264337593543950336</D>",
        f"<D>{'9' * 400}</D>",
        "<G>x</G>",
        "<G>0000000-00000-0000-0000-000000000000</G>",
        "<G>+0000000-0000-0000-0000-000000000000</G>",
        "<G>\u06610000000-0000-0000-0000-000000000000</G>",
        "<G>g0000000-0000-0000-0000-000000000000</G>",
        "<BA>A</BA>",
        "<BA>AA=</BA>",
        "<BA>A===</BA>",
        "<BA>A*==</BA>",
        "<BA>\u05d0</BA>",
        "<Version>1</Version>",
        "<Version>1.2.3.4.5</Version>",
        "<Version>1.99999999999</Version>",
        "<Version>1.2147483648</Version>",
        "<URI>http://[</URI>",
        "<i32>5</i32>",
    ],
)
def test_text_that_is_not_such_a_value_is_refused(written: str) -> None:
    with pytest.raises(ClixmlError) as caught:
        loads(written)
    assert caught.value.path == f"/{written[1:].partition('>')[0].removesuffix('/')}"
    assert caught.value.offset == 0


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        (Byte, 256),
        (SByte, 128),
        (Int16, 2**15),
        (UInt16, -1),
        (UInt32, 2**32),
        (Int64, 2**63),
        (UInt64, -1),
        (Char, "ab"),
        (Char, ""),
        (Char, 65536),
        (Char, -1),
        (Char, "\U0001f600"),
        (Version, "x"),
        (Uri, "http://["),
    ],
)
def test_a_value_out_of_range_cannot_be_made(kind: Any, bad: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        kind(bad)


def test_the_sized_types_behave_as_what_they_extend() -> None:
    assert Int64(3) + 1 == 4
    assert str(Int64(3)) == "3"
    assert repr(Int64(3)) == "Int64(3)"
    assert Single(0.1) != 0.1
    assert str(Single(1.5)) == "1.5"
    assert repr(Single(1.5)) == "Single(1.5)"
    assert Char(97) == "a"
    assert Char("a").code == 97
    assert (str(Char("a")), repr(Char("a"))) == ("a", "Char('a')")
    assert Version("1.2.3").parts == (1, 2, 3)
    assert repr(Version("1.2")) == "Version('1.2')"
    assert repr(Uri("u")) == "Uri('u')"
    assert repr(ScriptBlock("s")) == "ScriptBlock('s')"
    assert repr(XmlDocument("x")) == "XmlDocument('x')"


@pytest.mark.parametrize("number", [Decimal("1.10"), Decimal("-0.5"), Decimal(2) ** 90])
def test_a_decimal_keeps_its_scale(number: Decimal) -> None:
    """Statement E54."""
    assert identical(loads(dumps(number)), number)


def test_a_decimal_with_an_exponent_is_written_in_plain_digits() -> None:
    assert dumps(Decimal("1E+5")) == b"<D>100000</D>"
    assert dumps(Decimal("-0.00")) == b"<D>0.00</D>"


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "1E-29", "1E+30", "79228162514264337593543950336"]
)
def test_a_decimal_beyond_96_bits_is_not_written(number: str) -> None:
    for value in (Decimal(number), PSObject(extended={"n": Decimal(number)})):
        with pytest.raises(LocalProtocolError, match="out of range for Decimal"):
            dumps(value)


@given(st.integers(-(2**96) + 1, 2**96 - 1), st.integers(0, 28))
def test_every_decimal_comes_back(whole: int, scale: int) -> None:
    number = Decimal(f"{whole}E-{scale}")
    assert identical(loads(dumps(number)), abs(number) if number.is_zero() else number)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30 + 1])
def test_an_int_beyond_64_bits_becomes_a_biginteger(number: int) -> None:
    value = loads(dumps(number))
    assert isinstance(value, PSObject)
    assert value.type_names[0] == "System.Numerics.BigInteger"
    assert value.to_string == str(number)
    assert value["IsPowerOfTwo"] is (number == 2**64)
    assert value["IsEven"] is (number % 2 == 0)
    assert value["Sign"] == (1 if number > 0 else -1)


def test_a_biginteger_is_spelled_as_powershell_does() -> None:
    """Like `bigint-negative` of the recorded vectors, for a number beyond 64 bits."""
    assert dumps(-(2**70)).decode() == (
        '<Obj RefId="0"><TN RefId="0"><T>System.Numerics.BigInteger</T><T>System.ValueType</T>'
        "<T>System.Object</T></TN><ToString>-1180591620717411303424</ToString><Props>"
        '<B N="IsPowerOfTwo">false</B><B N="IsZero">false</B><B N="IsOne">false</B>'
        '<B N="IsEven">true</B><I32 N="Sign">-1</I32></Props></Obj>'
    )


def test_an_int_that_python_will_not_print_is_our_callers_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        dumps(10**5000)
