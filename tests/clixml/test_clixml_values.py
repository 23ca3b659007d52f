"""The value types: lists with a .NET type, dictionaries with any key, objects."""

from __future__ import annotations

from copy import copy
from typing import Any

import pytest

from psrp.clixml import (
    Dictionary,
    Enumerable,
    Int64,
    List,
    MemberSet,
    ProgressRecord,
    PSObject,
    Queue,
    SecureString,
    Stack,
    deserialized,
    dumps,
    equal,
    identical,
    loads,
)
from psrp.sansio import LocalProtocolError


def test_the_last_item_of_a_stack_is_its_top() -> None:
    """Statement E52."""
    stack = Stack([1, 2, 3])
    assert b"<STK><I32>3</I32><I32>2</I32><I32>1</I32></STK>" in dumps(stack)
    read = loads(dumps(stack))
    assert read.pop() == 3
    read.append(9)
    assert b"<STK><I32>9</I32><I32>2</I32><I32>1</I32></STK>" in dumps(read)


def test_the_first_item_of_a_queue_is_its_front() -> None:
    queue = Queue(["a", "b"])
    assert b"<QUE><S>a</S><S>b</S></QUE>" in dumps(queue)
    assert loads(dumps(queue)).pop(0) == "a"


@pytest.mark.parametrize("kind", [List, Enumerable, Stack, Queue])
def test_a_sequence_is_a_list_that_keeps_its_type(kind: Any) -> None:
    sequence = kind([1, "a"], ["Some.Type"])
    assert sequence == [1, "a"] == (sequence)
    assert sequence != [1]
    assert sequence != kind([1, "a"], ["Other.Type"])
    assert sequence != 5
    assert identical(loads(dumps(sequence)), sequence)
    assert copy(sequence).type_names == ("Some.Type",)
    assert repr(sequence) == f"{kind.__name__}([1, 'a'])"
    with pytest.raises(TypeError):
        hash(sequence)
    assert kind([1]) != (Queue if kind is List else List)([1])


def test_plain_lists_and_dicts_are_written_as_powershell_writes_its_own() -> None:
    assert dumps([1]) == dumps((1,)) == dumps(List([1]))
    assert b"<T>System.Object[]</T><T>System.Array</T><T>System.Object</T>" in dumps([])
    assert dumps({"a": 1}) == dumps(Dictionary({"a": 1}))
    assert b"<T>System.Collections.Hashtable</T><T>System.Object</T>" in dumps({})
    assert b"<DCT />" in dumps({})
    assert loads(dumps({"a": 1})) == {"a": 1}


def test_a_dictionary_behaves_like_a_dict() -> None:
    table = Dictionary([("b", 1), ("a", 2)])
    assert (len(table), list(table), table.keys()) == (2, ["b", "a"], ["b", "a"])
    assert (table.values(), table.items()) == ([1, 2], [("b", 1), ("a", 2)])
    assert dict(table) == {"b": 1, "a": 2}
    assert table["a"] == 2
    assert (table.get("x"), table.get("x", 7), table.get("a")) == (None, 7, 2)
    table["a"] = 3
    table.update({"c": 4})
    table.update(Dictionary({"d": 5}))
    assert table == {"b": 1, "a": 3, "c": 4, "d": 5}
    del table["b"]
    assert "b" not in table
    for action in (lambda: table["b"], lambda: table.__delitem__("b")):
        with pytest.raises(KeyError):
            action()
    assert repr(table) == "Dictionary([('a', 3), ('c', 4), ('d', 5)])"
    table.clear()
    assert repr(table) == "Dictionary()"
    assert not len(table)
    with pytest.raises(TypeError):
        hash(table)


def test_a_string_key_is_found_exactly_first_and_then_in_any_case() -> None:
    """Statement E52."""
    table = Dictionary([("name", 1), ("NAME", 2), ("Other", 3)])
    assert (table["name"], table["NAME"], table["Name"], table["OTHER"]) == (1, 2, 1, 3)
    table["other"] = 4
    assert table.items()[-1] == ("other", 4)
    assert 5 not in table
    assert Dictionary([(1, "one"), ("a", 2)])["A"] == 2


def test_a_dictionary_takes_keys_that_python_does_not() -> None:
    key, nested = [1, 2], PSObject(extended={"a": 1})
    table = Dictionary([(key, "list"), (nested, "object"), (1.5, "float")])
    assert table[key] == "list"
    assert table[[1, 2]] == "list"
    assert table[PSObject(extended={"a": 1})] == "object"
    assert [3] not in table
    table[key] = "again"
    assert table[key] == "again"
    assert len(table) == 3
    again = loads(dumps(table))
    assert identical(again, table) or again == table
    assert again[[1, 2]] == "again"


def test_a_dictionary_keeps_equal_keys() -> None:
    table = Dictionary()
    for value in range(3):
        table.add("k", value)
    table.add(1, "int")
    table.add(Int64(1), "long")
    table.add(True, "bool")
    assert len(table) == 6
    assert table["k"] == 0
    assert table[1] == "int"
    again = loads(dumps(table))
    assert identical(again, table)
    assert [type(key) for key in again][3:] == [int, Int64, bool]


def test_dictionaries_compare_without_order_unless_asked() -> None:
    one, two = Dictionary({"a": 1, "b": 2}), Dictionary({"b": 2, "a": 1})
    assert one == two
    assert not identical(one, two)
    assert identical({"a": 1, "b": 2}, {"a": 1, "b": 2})
    assert not identical({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert one != Dictionary({"a": 1, "b": 2}, ["Other"])
    assert one != Dictionary({"a": 1})
    assert one != Dictionary({"a": 1, "c": 2})
    assert one != 5
    assert not equal(one, 5)
    assert not equal({"a": 1}, {"b": 1})
    assert not equal({"a": 1}, [1])


def test_an_object_shows_its_properties_as_a_mapping() -> None:
    obj = PSObject(
        ["My.Type", "System.Object"],
        {"Id": 1, "Name": "adapted"},
        {"name": "extended", "Note": None},
        "shown",
    )
    assert (obj["Id"], obj["id"], obj["name"], obj["NAME"], obj["Name"]) == (
        1, 1, "extended", "extended", "adapted",
    )  # fmt: skip
    assert list(obj) == ["Id", "name", "Note"]
    assert obj.keys() == ["Id", "name", "Note"]
    assert obj.items() == [("Id", 1), ("name", "extended"), ("Note", None)]
    assert len(obj) == 3
    assert ("note" in obj, "x" in obj, 5 in obj) == (True, False, False)
    assert (obj.get("note", 7), obj.get("name"), obj.get("x", 7)) == (None, "extended", 7)
    with pytest.raises(KeyError):
        obj["x"]
    assert repr(obj) == "<PSObject 'My.Type' to_string='shown' members=Id, name, Note>"
    assert bool(PSObject())
    assert repr(PSObject()) == "<PSObject>"
    assert repr(PSObject(value=[1])) == "<PSObject value=<list>>"
    assert repr(PSObject(extended=dict.fromkeys(map(str, range(20))))).endswith("11, ...>")


def test_objects_are_equal_by_content() -> None:
    def make(**changes: Any) -> PSObject:
        parts: dict[str, Any] = {
            "type_names": ["T"],
            "adapted": {"a": 1},
            "extended": {"b": [1, {"c": 2}]},
            "to_string": "s",
            "value": 5,
        }
        return PSObject(**(parts | changes))

    assert make() == make()
    for change in (
        {"type_names": []},
        {"adapted": None},
        {"adapted": {"a": 2}},
        {"extended": {"b": [1, {"c": 3}]}},
        {"to_string": None},
        {"value": 6},
    ):
        assert make() != make(**change)
        assert not identical(make(), make(**change))
    assert make() == make(value=Int64(5))
    assert not identical(make(), make(value=Int64(5)))
    assert make() != 5
    assert PSObject.custom(a=1) == PSObject.custom(a=1)
    with pytest.raises(TypeError):
        hash(make())


def test_values_that_contain_themselves_can_be_compared_and_shown() -> None:
    def make() -> PSObject:
        obj = PSObject.custom(a=1)
        items = List([obj])
        items.append(items)
        obj.extended["items"] = items
        obj.extended["table"] = Dictionary({"me": obj})
        obj.extended["set"] = MemberSet(me=obj)
        return obj

    one, two = make(), make()
    assert one == two
    assert one["items"] == two["items"]
    assert repr(one) == repr(two)
    two.extended["table"]["more"] = 1
    assert one != two


def test_a_member_set_stays_one() -> None:
    nested = MemberSet(a=1, more=MemberSet(b=MemberSet()))
    obj = PSObject(extended={"PSStandardMembers": nested})
    text = dumps(obj).decode()
    assert '<MS N="PSStandardMembers"><I32 N="a">1</I32><MS N="more"><MS N="b" /></MS></MS>' in text
    assert identical(loads(text), obj)
    assert nested == {"a": 1, "more": {"b": {}}}
    assert nested != {"a": 1}
    assert nested != 5
    assert repr(MemberSet(a=1)) == "MemberSet({'a': 1})"
    with pytest.raises(LocalProtocolError, match="MemberSet"):
        dumps(nested)
    with pytest.raises(LocalProtocolError, match="MemberSet"):
        dumps(PSObject(adapted={"a": nested}))


@pytest.mark.parametrize("value", [5, "s", b"b", 1.5, [1], {"a": 1}, Stack([1], ())])
def test_a_value_may_carry_notes_a_type_and_a_text(value: Any) -> None:
    """Statement E53."""
    for obj in (
        PSObject(extended={"n": 1}, value=value),
        PSObject(["My.Type"], value=value, to_string="shown"),
        PSObject(["My.Type"], adapted={}, value=value),
    ):
        again = loads(dumps(obj))
        assert again.value == value
        assert (again.extended, again.to_string, again.adapted) == (
            obj.extended,
            obj.to_string,
            obj.adapted,
        )
        assert dumps(again) == dumps(obj)


def test_type_names_are_kept_as_sent_and_can_be_prefixed_as_powershell_does() -> None:
    """Statement E53."""
    names = ("System.Diagnostics.Process", "Deserialized.System.Object")
    assert loads(dumps(PSObject(names))).type_names == names
    assert deserialized(names) == (
        "Deserialized.System.Diagnostics.Process",
        "Deserialized.System.Object",
    )


def test_a_script_block_is_read_as_text() -> None:
    """Statement E53."""
    assert loads("<SBK>Get-Date</SBK>") == "Get-Date"


def test_a_secure_string_is_hidden_unless_revealed() -> None:
    secret, sealed = SecureString("geheim"), SecureString.from_sealed("AAAA")
    assert "geheim" not in repr([secret, PSObject(extended={"p": secret}), {"p": secret}])
    assert repr(sealed) == "SecureString(<sealed>)"
    assert (secret.sealed, sealed.sealed, secret.reveal()) == (None, "AAAA", "geheim")
    with pytest.raises(LocalProtocolError, match="sealed"):
        sealed.reveal()
    assert secret == SecureString("geheim")
    assert secret != SecureString("other")
    assert secret != sealed
    assert secret != "geheim"
    assert len({secret, SecureString("geheim"), sealed}) == 2


def test_a_secure_string_is_sealed_and_opened_by_its_callers_key() -> None:
    secret = {"p": SecureString("geheim")}
    text = dumps(secret, seal=lambda plain: plain[::-1])
    assert b'<SS N="Value">mieheg</SS>' in text
    assert loads(text, unseal=lambda sealed: sealed[::-1]) == secret
    assert loads(text)["p"] == SecureString.from_sealed("mieheg")
    assert dumps(loads(text)) == text
    with pytest.raises(LocalProtocolError, match="/p") as caught:
        dumps(secret)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("operation", [None, "step 1 & 2"])
def test_a_progress_record_inside_data_comes_back(operation: str | None) -> None:
    record = ProgressRecord(
        activity="copy <a>", activity_id=3, status="busy", current_operation=operation
    )
    assert loads(dumps(record)) == record
    member = PSObject(extended={"Record": record})
    assert b'<PR N="Record"><AV>copy &lt;a&gt;</AV><AI>3</AI>' in dumps(member)
    assert loads(dumps(member)) == member
