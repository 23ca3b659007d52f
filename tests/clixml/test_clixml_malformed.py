"""Documents that PowerShell refuses raise an error with the offset."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psrp.clixml import dumps, loads, read_document
from psrp.sansio import ClixmlError
from tests.clixml.truth import vectors
from tests.rows import rows

XMLNS = "http://schemas.microsoft.com/powershell/2004/04"
OTHER = "http://schemas.microsoft.com/powershell/2004/05"
OBJS = f'<Objs Version="1.1.0.1" xmlns="{XMLNS}">'
PR = "<AV>a</AV><AI>1</AI><Nil /><PI>-1</PI><PC>5</PC><T>Processing</T><SR>-1</SR><SD>s</SD>"


@rows(
    ("text", "path", "offset"),
    [
        ("", "", 0),
        ("  ", "", 2),
        ("x", "", 0),
        ("<", "", 0),
        ("<S>", "/S", 0),
        ("<S>a", "/S", 0),
        ("<S>a</T>", "/S", 0),
        ("<S>a</S", "/S", 0),
        ("</S>", "", 0),
        ("</p:S>", "", 0),
        ("</xmlns:Db>", "", 0),
        ("<S>a</S>b", "", 8),
        ("<S>a</S><S>b</S>", "/S", 8),
        ("<S a>b</S>", "/S", 0),
        ("<S a=b>c</S>", "/S", 0),
        ('<S N="a" N="b">c</S>', "/S[a]", 0),
        ('<S N="&x;">c</S>', "/S[&x;]", 0),
        ('<S N="<">c</S>', "", 0),
        ("<1>c</1>", "/1", 0),
        ("<Foo />", "/Foo", 0),
        ("<LST><I32>1</I32></LST>", "/LST", 0),
        ("<MS />", "/MS", 0),
        ("<TN />", "/TN", 0),
        ("<S><I32>5</I32></S>", "/S", 0),
        ("<SS><S /></SS>", "/SS", 0),
        ("<Ref />", "/Ref", 0),
        ('<Ref RefId="0" />', "/Ref", 0),
        ('<Obj RefId="0">', "/Obj", 15),
        ('<Obj RefId="0">x</Obj>', "/Obj", 0),
        ('<Obj RefId="0">x<S /></Obj>', "/Obj", 0),
        ('<Obj RefId="0"><S /></Objs>', "/Obj", 20),
        ('<Obj RefId="0"><S /></Obj >x', "", 27),
        ('<Obj RefId="0"><Foo /></Obj>', "/Obj/Foo", 15),
        ('<Obj RefId="0"><TNRef /></Obj>', "/Obj/TNRef", 15),
        ('<Obj RefId="0"><TNRef RefId="7" /></Obj>', "/Obj/TNRef", 15),
        ('<Obj RefId="0"><TN RefId="0"><T>a</T></TN><TNRef RefId="0"><S /></TNRef></Obj>',
         "/Obj/TNRef", 42),
        ('<Obj RefId="0"><TN RefId="0"><S>a</S></TN></Obj>', "/Obj/TN/S", 29),
        ('<Obj RefId="0"><TN RefId="0"><T><S /></T></TN></Obj>', "/Obj/TN/T", 29),
        ('<Obj RefId="0"><TN RefId="0">x</TN></Obj>', "/Obj/TN", 15),
        ('<Obj RefId="0"><TN RefId="0"><T>&x;</T></TN></Obj>', "/Obj/TN/T", 29),
        ('<Obj RefId="0"><TN RefId="0"><T>]]></T></TN></Obj>', "/Obj/TN/T", 29),
        ('<Obj RefId="0"><ToString><S /></ToString></Obj>', "/Obj/ToString", 15),
        ('<Obj RefId="0"><MS>x</MS></Obj>', "/Obj/MS", 15),
        ('<Obj RefId="0"><MS>x<S N="a" /></MS></Obj>', "/Obj/MS", 15),
        ('<Obj RefId="0"><MS><S N="a" />x</MS></Obj>', "/Obj/MS", 30),
        ('<Obj RefId="0"><MS><S /></MS></Obj>', "/Obj/MS/S", 19),
        ('<Obj RefId="0"><MS><S N="">a</S></MS></Obj>', "/Obj/MS/S[]", 19),
        ('<Obj RefId="0"><MS><I32 N="Count">x</I32></MS></Obj>', "/Obj/MS/I32[Count]", 19),
        ('<Obj RefId="0"><MS><Foo N="a" /></MS></Obj>', "/Obj/MS/Foo[a]", 19),
        ('<Obj RefId="0"><MS><MS N="a"><S /></MS></MS></Obj>', "/Obj/MS/MS[a]/S", 29),
        ('<Obj RefId="0"><MS><MS /></MS></Obj>', "/Obj/MS/MS", 19),
        ('<Obj RefId="0"><MS><S N="a" /></Props></Obj>', "/Obj/MS", 30),
        ('<Obj RefId="0"><Props><MS N="a" /></Props></Obj>', "/Obj/Props/MS[a]", 22),
        ('<Obj RefId="0"><LST>x</LST></Obj>', "/Obj/LST", 15),
        ('<Obj RefId="0"><LST><I32>x</I32></LST></Obj>', "/Obj/LST/I32", 20),
        ('<Obj RefId="0"><LST><I32>1</I32><I32>-</I32></LST></Obj>', "/Obj/LST/I32", 32),
        ('<Obj RefId="0"><LST><I32>1</I32></STK></Obj>', "/Obj/LST", 32),
        ('<Obj RefId="0"><LST><LST /></LST></Obj>', "/Obj/LST/LST", 20),
        ('<Obj RefId="0"><DCT>x</DCT></Obj>', "/Obj/DCT", 15),
        ('<Obj RefId="0"><DCT><S>a</S></DCT></Obj>', "/Obj/DCT/S", 20),
        ('<Obj RefId="0"><DCT><En /></DCT></Obj>', "/Obj/DCT/En", 20),
        ('<Obj RefId="0"><DCT><En><S N="Key">a</S></En></DCT></Obj>', "/Obj/DCT/En", 40),
        ('<Obj RefId="0"><DCT><En><S N="Value">a</S></En></DCT></Obj>', "/Obj/DCT/En/S[Value]", 24),
        ('<Obj RefId="0"><DCT><En><Nil N="Key" /><S N="Value">a</S></En></DCT></Obj>',
         "/Obj/DCT/En/Nil[Key]", 24),
        ('<Obj RefId="0"><DCT><En><S N="Key">a</S><I32 N="Value">x</I32></En></DCT></Obj>',
         "/Obj/DCT/En/I32[Value]", 40),
        ('<Obj RefId="0"><DCT><En><S N="Key">a</S><Nil N="Value" /><Nil /></En></DCT></Obj>',
         "/Obj/DCT/En/Nil", 57),
        ('<Obj RefId="0"><DCT><En><S N="Key">a</S><Nil N="Value" /></DCT></Obj>',
         "/Obj/DCT/En", 57),
        ('<Obj RefId="0"><I32>x</I32></Obj>', "/Obj/I32", 15),
        ('<Obj RefId="0"><Ref RefId="0"><S /></Ref></Obj>', "/Obj/Ref", 15),
        ('<Obj RefId="0"><LST><I32>1</I32><I32>2147483648</I32></LST></Obj>', "/Obj/LST/I32", 32),
        ('<Obj RefId="0"><LST><S>a</S><S>&x;</S></LST></Obj>', "/Obj/LST/S", 28),
        ("<PR />", "/PR", 0),
        (f"<PR>{PR[:10]}</PR>", "/PR", 14),
        (f"<PR>{PR.replace('AI', 'AX')}</PR>", "/PR/AX", 14),
        (f"<PR>{PR.replace('>5<', '>x<')}</PR>", "/PR/PC", 42),
        (f"<PR>{PR}<S /></PR>", "/PR/S", 4 + len(PR)),
        (f"<PR>{PR}</PX>", "/PR", 4 + len(PR)),
        ("<Objs />", "/Objs", 0),
        (f'<Objs Version="2.0.0.0" xmlns="{XMLNS}" />', "/Objs", 0),
        (f'<Objs Version="1" xmlns="{XMLNS}" />', "/Objs", 0),
        ('<Objs Version="1.1.0.1" xmlns="urn:other" />', "/Objs", 0),
        (f"{OBJS}</Objs>", "/Objs", 0),
        (f"{OBJS}x</Objs>", "/Objs", 0),
        (f"{OBJS}x<S /></Objs>", "/Objs", 0),
        (f"{OBJS}<S /><S /></Objs>", "/Objs", 0),
        (f"{OBJS}<S />", "/Objs", len(OBJS) + 5),
        (f"{OBJS}<S /></Obj>", "/Objs", len(OBJS) + 5),
        (f"{OBJS}<Objs /></Objs>", "/Objs/Objs", len(OBJS)),
        ("<p:S>a</p:S>", "/S", 0),
        ('<S xmlns="urn:other">a</S>', "/S", 0),
        ('<SS xmlns="urn:other">a</SS>', "/SS", 0),
        ('<p:S xmlns:p="urn:other">a</p:S>', "/S", 0),
        (f'<Obj RefId="0" xmlns="{OTHER}"><LST><S>a</S></LST></Obj>', "/Obj/LST/S", 76),
        (f'<Obj RefId="0" xmlns="{OTHER}"><TN><T>a</T></TN></Obj>', "/Obj/TN/T", 75),
        ("<!DOCTYPE a><S>a</S>", "", 0),
        ("<!-- -- --><S>a</S>", "", 5),
        ("<!-- <S>a</S>", "", 4),
        ("<S><![CDATA[a</S>", "/S", 12),
        ("<S>a</S><?x", "", 10),
        ("<S>a<?xml version='1.0'?></S>", "/S", 4),
        ("<S>a<!b></S>", "/S", 4),
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused_with_its_place(text: str, path: str, offset: int) -> None:
    with pytest.raises(ClixmlError) as caught:
        loads(text)
    assert (caught.value.path, caught.value.offset) == (path, offset)
    with pytest.raises(ClixmlError):
        loads(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '<I32 xmlns="urn:other">1</I32>',
        f'<p:I32 xmlns:p="{XMLNS}">1</p:I32>',
        f"{OBJS}<I32>1</I32></Objs>",
        f'<Objs xmlns="{XMLNS}"> <I32>1</I32> </Objs>',
        f'<Objs Version="1.2.0.0" xmlns="{XMLNS}"><I32>1</I32></Objs>',
        f'<x:Objs xmlns:x="{XMLNS}"><I32>1</I32></x:Objs>',
    ],
)
def test_numbers_are_read_in_any_namespace(text: str) -> None:
    assert loads(text) == 1


@pytest.mark.parametrize(
    "text",
    [
        '<Obj RefId="0" xmlns="urn:x"><LST><I32>1</I32></LST></Obj>',
        '<Obj RefId="0">\n <LST >\n <I32 >1</I32 >\n </LST >\n</Obj >',
        "<Obj RefId='0'><LST><I32>1</I32></LST></Obj>",
        '<Obj  RefId = "0"\n><LST><I32>1</I32></LST></Obj>',
        '<Obj RefId="0"><STK/><LST><I32>9</I32></LST><LST><I32>1</I32></LST></Obj>',
        '<Obj RefId="0"><LST><I32>1</I32></LST ></Obj >',
        '<Obj RefId="0"><!-- --><LST><?pi?><I32>1</I32><!-- --></LST></Obj>',
    ],
)
def test_other_spellings_of_an_object_are_read(text: str) -> None:
    assert loads(text) == [1]


@pytest.mark.parametrize(
    "text",
    [
        '<Obj RefId="0"><TN ><T >A</T ><T>B&amp;_x0043_</T></TN><MS ><S N="a" >1</S></MS></Obj>',
        '<Obj RefId="0"><MS><S N="a">1</S></MS ><TN><T>A</T><T>B&amp;C</T></TN ></Obj>',
        '<Obj RefId="0"><TN RefId="0"><T>A</T><T>B&amp;C</T></TN><TNRef RefId="0" x="" />'
        '<MS><S N="a">1</S></MS></Obj>',
        '<Obj RefId="0"><TN RefId="0" /><TN RefId="1"><T>A</T><T>B&amp;C</T></TN>'
        "<MS />\n<MS><S N='a'>1</S></MS></Obj>",
        '<Obj RefId="0"><MS><S N="x">0</S></MS><TN a="b"><T>A</T><T>B&amp;C</T></TN>'
        '<MS x=""><S N="A">0</S><S N="a">1</S></MS></Obj>',
    ],
)
def test_the_last_of_each_part_counts_whatever_its_spelling(text: str) -> None:
    value = loads(text)
    assert value.type_names == ("A", "B&C")
    assert value.extended == {"a": "1"}


def test_parts_in_unusual_spelling_are_read_like_any_other() -> None:
    value = loads(
        '<Obj RefId="0"><Props /><ToString x="">t</ToString><Props x=""><S N="a">1</S></Props>'
        '<MS><MS N="e" /><MS N="s" x=""><Nil N="n" x="" /></MS><Obj N="o" RefId="1" />'
        '<I32 N="i" x="">&#53;</I32><I32 N="j">&#54;</I32></MS><I32 x="">7</I32></Obj>'
    )
    assert (value.adapted, value.to_string, value.value) == ({"a": "1"}, "t", 7)
    assert value.extended["e"] == {}
    assert value.extended["s"] == {"n": None}
    assert (value["i"], value["j"]) == (5, 6)
    items = loads('<Obj RefId="0"><LST><I32>&#53;</I32><Obj RefId="1" /><S a="">b</S></LST></Obj>')
    assert (items[0], items[2]) == (5, "b")
    table = loads(
        '<Obj RefId="0"><DCT><En><S N="Key">k</S><Obj RefId="1" N="Value" /></En>'
        '<En a=""><S N="Key">l</S><Foo a="">1</Foo></En></DCT></Obj>'.replace(
            '<Foo a="">1</Foo>', '<I32 N="Value" a="">1</I32>'
        )
    )
    assert table["l"] == 1
    assert loads(f"<PR>\n{PR}\n</PR>").status == "s"


def test_names_of_streams_come_with_their_values() -> None:
    text = f'{OBJS}<S S="Error">a</S><Obj S="progress" RefId="0" /><S>b</S></Objs>'
    assert [stream for stream, _ in read_document(text)] == ["Error", "progress", None]
    assert read_document('<S S="Error">a</S>') == [("Error", "a")]
    assert read_document(f"{OBJS[:-1]} />") == []
    assert read_document(f"{OBJS}  </Objs>") == []


def test_a_long_text_is_read_whole_and_its_end_is_still_checked() -> None:
    text = "x" * 10_000
    assert loads(f"<S>{text}</S>") == text
    assert loads(f'<Obj RefId="0"><MS><S N="a">{text}</S></MS></Obj>')["a"] == text
    assert loads(dumps([text, 1])) == [text, 1]
    assert loads(dumps({"a": text})) == {"a": text}
    for end in ("</T>", "<S /></S>", ""):
        with pytest.raises(ClixmlError):
            loads(f"<S>{text}{end}")


WHOLE = [vector["bare"] for vector in vectors("write.jsonl") if len(vector["bare"]) < 1500]


@pytest.mark.parametrize("text", WHOLE[::7])
def test_a_document_cut_anywhere_is_refused(text: str) -> None:
    for end in range(len(text)):
        with pytest.raises(ClixmlError):
            loads(text[:end])


@given(st.sampled_from(WHOLE), st.integers(0, 1500), st.binary(max_size=3), st.integers(0, 5))
def test_a_damaged_document_is_a_value_or_a_clixml_error(
    text: str, at: int, put: bytes, drop: int
) -> None:
    data = text.encode()
    damaged = data[: at % len(data)] + put + data[at % len(data) + drop :]
    try:
        value = loads(damaged)
    except ClixmlError:
        return
    assert dumps(value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_clixml_error(data: bytes) -> None:
    with suppress(ClixmlError):
        loads(data)


MARKUP = st.lists(
    st.sampled_from(
        ["<Obj>", "<Obj", ' RefId="0"', ">", "/>", "</Obj>", "<LST>", "</LST>", "<DCT>", "</DCT>",
         "<En>", "</En>", '<S N="Key">', "</S>", "<S>", "<I32>", "5", "</I32>", "<MS>", "</MS>",
         ' N="Value"', "<TN>", "<T>", "</T>", "</TN>", "<Ref", "<Nil/>", "<PR>", "<!--", "-->",
         "<![CDATA[", "]]>", "&", "&#x0;", "_x0041_", " ", "\n", "<?x?>", "\0"]
    ),
    max_size=30,
)  # fmt: skip


@given(MARKUP)
def test_any_markup_is_a_value_or_a_clixml_error(pieces: list[str]) -> None:
    for text in ("".join(pieces), f'<Obj RefId="0">{"".join(pieces)}</Obj>'):
        try:
            value = loads(text)
        except ClixmlError:
            continue
        assert loads(dumps(value)) == value
