"""Depth, size and hostile documents: bounded memory, linear work, our own error type."""

from __future__ import annotations

from typing import Any

import pytest

from psrp.clixml import PSObject, dumps, loads
from psrp.clixml.columns import learn
from psrp.sansio import ClixmlError, LocalProtocolError


def nest_text(depth: int, around: str = "<I32>1</I32>") -> str:
    return '<Obj RefId="0"><LST>' * depth + around + "</LST></Obj>" * depth


def nest(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ('<Obj RefId="0"><LST>', "</LST></Obj>"),
        ('<Obj RefId="0">', "</Obj>"),
        ('<Obj N="a" RefId="0"><MS>', "</MS></Obj>"),
        ('<Obj N="a" RefId="0"><Props>', "</Props></Obj>"),
        ('<Obj N="Value" RefId="0"><DCT><En><S N="Key">a</S>', "</En></DCT></Obj>"),
    ],
)
def test_a_hundred_thousand_elements_inside_each_other_are_refused(
    opening: str, closing: str
) -> None:
    """Statement E57."""
    with pytest.raises(ClixmlError, match="nested more than"):
        loads(opening * 100_000 + "<I32>1</I32>" + closing * 100_000)


def test_nested_member_sets_count_as_depth() -> None:
    deep = '<MS N="a">' * 100_000
    with pytest.raises(ClixmlError, match="nested more than"):
        loads(f'<Obj RefId="0"><MS>{deep}')


def test_unknown_elements_of_a_newer_version_may_nest_without_end() -> None:
    ns = "http://schemas.microsoft.com/powershell/2004/04"
    text = "<New>" * 100_000 + "</New>" * 100_000
    document = f'<Objs Version="1.2.0.0" xmlns="{ns}"><Obj RefId="0">{text}</Obj></Objs>'
    assert loads(document) == PSObject()


def test_forty_eight_objects_around_a_primitive_are_read_and_the_next_refused() -> None:
    """Statement E57."""
    assert loads(nest_text(48)) == nest(48)
    with pytest.raises(ClixmlError, match="more than 48") as caught:
        loads(nest_text(49))
    assert caught.value.offset == 48 * len('<Obj RefId="0"><LST>')
    assert loads(nest_text(60), max_depth=60) == nest(60)
    with pytest.raises(ClixmlError, match="more than 3"):
        loads(nest_text(4), max_depth=3)


def test_forty_eight_objects_are_written_and_the_next_refused() -> None:
    """Statement J110."""
    assert loads(dumps(nest(48))) == nest(48)
    with pytest.raises(LocalProtocolError, match="more than 48"):
        dumps(nest(49))
    assert loads(dumps(nest(60), max_depth=60), max_depth=60) == nest(60)
    value: Any = PSObject()
    for _ in range(100_000):
        value = PSObject(extended={"a": value})
    with pytest.raises(LocalProtocolError, match="more than 48"):
        dumps(value)
    while value.extended:  # otherwise freeing it would recurse
        value = value.extended.pop("a")


@pytest.mark.parametrize("depth", [0, 101])
def test_the_depth_that_can_be_asked_for_has_a_limit(depth: int) -> None:
    with pytest.raises(LocalProtocolError, match="of 1 to 100"):
        loads('<Obj RefId="0" />', max_depth=depth)
    with pytest.raises(LocalProtocolError, match="of 1 to 100"):
        dumps([1], max_depth=depth)
    assert loads(dumps(nest(100), max_depth=100), max_depth=100) == nest(100)


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
EXTERNAL = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declared", [BOMB, EXTERNAL, "<!DOCTYPE a>", "<!DOCTYPE a SYSTEM 'x'>"])
def test_a_document_type_is_refused_at_every_place(declared: str) -> None:
    """Statement E57."""
    for text in (f"{declared}<S>&c;</S>", f"<?xml version='1.0'?>{declared}<S>&x;</S>"):
        with pytest.raises(ClixmlError, match="document type"):
            loads(text)


def test_a_document_type_inside_an_xml_document_is_refused() -> None:
    """Statement J111."""
    for declared in (BOMB, EXTERNAL):
        escaped = declared.replace("&", "&amp;").replace("<", "&lt;")
        with pytest.raises(ClixmlError, match="document type"):
            loads(f"<XD>{escaped}&lt;a/></XD>")
    assert loads("<XD>&lt;a>!DOCTYPE&lt;/a></XD>") == "<a>!DOCTYPE</a>"


def test_entities_that_are_not_declared_are_refused() -> None:
    with pytest.raises(ClixmlError, match="reference"):
        loads("<S>&passwd;</S>")


LIST = '<Obj RefId="0"><LST>{}</LST></Obj>'


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("<S>" + "&amp;" * 200_000 + "</S>", 200_000),
        ("<S>" + "_x0041_" * 200_000 + "</S>", 200_000),
        ("<S>" + "_x" * 500_000 + "</S>", 1_000_000),
        ("<S>" + "<!-- -->" * 100_000 + "</S>", 0),
        ("<S>" + "<![CDATA[<]]>" * 100_000 + "</S>", 100_000),
        (LIST.format("<I32>1</I32>" * 50_000 + "<S/>"), 50_001),
        (LIST.format("<Obj><LST><I32>1</I32>\n</LST></Obj>" * 10_000), 10_000),
        (LIST.format("<Obj><LST><I32>1</I32><S/></LST></Obj>" * 10_000), 10_000),
        (LIST.format('<S a="' + "b" * 1_000_000 + '">c</S>'), 1),
        ('<Obj RefId="0"><MS>' + '<S N="a">b</S>' * 50_000 + "</MS></Obj>", 1),
        ('<Obj RefId="0"><TN RefId="0">' + "<T>a</T>" * 50_000 + "</TN></Obj>", 0),
    ],
)
def test_a_large_hostile_document_is_read_in_reasonable_time(text: str, size: int) -> None:
    """Quadratic work would not end in the time limit of a test."""
    assert len(loads(text)) == size


def chain(count: int) -> str:
    """Return lists that contain themselves and the previous list."""
    links = [
        f'<Obj RefId="{n}"><LST><Ref RefId="{n}" /><Ref RefId="{max(n - 1, 1)}" /></LST></Obj>'
        for n in range(1, count)
    ]
    return f'<Obj RefId="0"><LST>{"".join(links)}</LST></Obj>'


def test_a_long_chain_of_lists_that_contain_themselves_is_read() -> None:
    value = loads(chain(5_000))
    assert all(item[0] is item for item in value)
    assert value[-1][1] is value[-2]


def test_many_objects_of_one_shape_come_out_as_each_alone() -> None:
    head = '<TNRef RefId="0" /><ToString>{0}</ToString><Props><I32 N="p">{0}</I32></Props>'
    body = '<MS><S N="s">{0}&amp;_x0041_</S><Nil N="n" /><B N="b">true</B></MS>'
    plain = [(head + body).format(n) for n in range(50)]
    odd = {
        10: body.format(10),
        11: '<TNRef RefId="0" /><MS><I32 N="s">1</I32></MS>',
        12: '<TNRef RefId="0" /><MS><Obj N="s" RefId="x" /></MS>',
        13: '<TNRef RefId="0" /><MS><I32 N="A">1</I32><I32 N="a">2</I32></MS>',
        14: '<TNRef RefId="0" /><MS><S>x</S></MS>'.replace("<S>", '<S N="q">'),
        15: "",
        16: "<I32>5</I32>",
        17: '<MS><S N="a">1</S></MS><MS><S N="b">2</S></MS>',
        30: (head + body).format(30).replace('<I32 N="p">30', '<I32 N="p">&#51;0'),
    }
    first = '<Obj RefId="first"><TN RefId="0"><T>A</T></TN></Obj>'
    texts = [f'<Obj RefId="{n}">{odd.get(n, plain[n])}</Obj>' for n in range(50)]
    together = loads(f'<Obj><LST>{first}{"".join(texts)}<Ref RefId="40" /></LST></Obj>')
    alone = [loads(f"<Obj><LST>{first}{text}</LST></Obj>")[1] for text in texts]
    assert together[1:-1] == alone
    assert together[-1] is together[41]
    for damaged in ('<I32 N="p">x', '<I32 N="p">30</S>', '<I32 N="p">'):
        with pytest.raises(ClixmlError) as caught:
            loads(
                f"<Obj><LST>{first}{''.join(texts)}</LST></Obj>".replace(
                    '<I32 N="p">40</I32>', damaged
                )
            )
        assert caught.value.path.startswith("/Obj/LST/Obj/Props")


def test_a_long_list_of_one_shape_is_read_whole() -> None:
    items = [PSObject.custom(a=n, b=f"b{n}") for n in range(100)]
    text = dumps(items)
    assert loads(text) == items
    odd_ids = text.replace(b'RefId="5', b'RefId="-5')
    assert loads(odd_ids) == items


def test_more_kinds_of_objects_than_are_remembered_are_read() -> None:
    items = [PSObject([f"Type {n}", "System.Object"]) for n in range(1100)]
    assert loads(dumps(items)) == items


@pytest.mark.parametrize("size", [3, 300, 100_000])
def test_bytes_of_any_size_come_back(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert loads(dumps(data)) == data
    spaced = dumps(data).replace(b"AA", b"A A")
    assert loads(spaced) == data
    with pytest.raises(ClixmlError, match="base64"):
        loads(dumps(data).replace(b"AA", b"A*", 1))


def test_a_document_seen_before_is_read_anew() -> None:
    for n in range(30):
        obj = PSObject.custom(a=n, b=f"{n}_x0041_" if n % 3 else None, c=n / 4)
        assert loads(dumps(obj)) == obj
        assert loads(dumps(obj).replace(b'RefId="0"', b'RefId="7"')) == obj
        with pytest.raises(ClixmlError):
            loads(dumps(obj)[:-1])
        with pytest.raises(ClixmlError):
            loads(dumps(obj) + b"x")
    for n in range(100):
        obj = PSObject(["T"], extended={f"a{n}": n})
        assert [loads(dumps(obj)) for _ in range(3)] == [obj] * 3


@pytest.mark.parametrize(
    "text",
    [
        "<S>a</S>",
        '<Obj RefId="0">x</Obj>',
        '<Obj RefId="0"><S>a</S></Obj>',
        '<Obj RefId="0" />',
        '<Obj RefId="0"><MS N="x"><S N="a">b</S></MS></Obj>',
        '<Obj RefId="0"><MS x=""><S N="a">b</S></MS></Obj>',
        '<Obj RefId="0"><MS><S N="a"><I32>1</I32></S></MS></Obj>',
        '<Obj RefId="0"><MS><SS N="a">b</SS></MS></Obj>',
        '<Obj RefId="0"><MS><S>b</S></MS></Obj>',
    ],
)
def test_an_object_that_is_not_plain_has_no_columns(text: str) -> None:
    assert learn(text.split("<")[1:]) is None
