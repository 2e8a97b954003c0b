from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import DocumentStartEvent

from manifests.text import ordinary_json
from manifests.text.chunks import Position
from manifests.text.compose import DEPTH, Budget, Composer, Document, Refused
from manifests.text.parse import Parsed, parse
from manifests.text.plain import ORDINARY
from manifests.text.scalars import Unreadable
from model.values import FieldPath, Mark, Marks

TEXTS = st.text(st.sampled_from("ab<*&!#:-?,[]{}\"'\\/\t\n\x1f\x7f\x85\xe9\u2028\ufeff 0yn~=%@`|>"), max_size=6)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**62, 2**65),
    st.floats(allow_nan=False),
    TEXTS,
    st.sampled_from(["<<", "yes", "---", "...", "null", "1", "\ud800", "\U0001f600"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)
LAYOUTS = st.fixed_dictionaries(
    {
        "indent": st.sampled_from([None, 0, 1, 2, 4, "\t"]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,", " : "), (",\n", "\n:"), ("\t,", "\t:\t")]),
        "ensure_ascii": st.booleans(),
    }
)
HEADS = st.sampled_from(["", "---\n", "--- \n", "---", " ", "\n", "\t", "%YAML 1.1\n---\n", "a: 1\n---\n"])
PIECES = ("", ",", ":", "\n", "\t", "#", " #", "'", '"', "{", "}", "[", "]", "-", "? ", "&a ")
TAILS = st.sampled_from(["", "\n", " ", "\n\n", "\t", "\n\t\n", "\r\n", "\n# end\n", "\n...\n", "x", "}", ","])


def long_way(text: str) -> Document | None:
    """As libyaml and the composer read a text of one document; None where it is not just that."""
    events = CParser(text)
    found = []
    try:
        while (event := events.get_event()) is not None:
            if type(event) is DocumentStartEvent:
                found.append(Composer(place, lambda *_: None, Budget()).document(events.get_event))
    except (Refused, Unreadable, YAMLError):
        return None
    return found[0] if len(found) == 1 else None


def place(mark: Position) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


def spread(mark: Mark, path: FieldPath = ()) -> list[tuple[FieldPath, tuple[int, int, int, int]]]:
    """All marks of a document, children by children."""
    found = [(path, (mark.line, mark.column, mark.value_line, mark.value_column))]
    for step, child in (mark.children or {}).items():
        found += spread(child, (*path, step))
    return found


def same(text: str, line: int = 1) -> bool:
    """Whether the quick way takes the text; asserts that it then says what the long way says."""
    quick = ordinary_json.document(text, line)
    if quick is None:
        return False
    slow = long_way(text)
    assert slow is not None, text
    assert json.dumps(quick.value) == json.dumps(slow.value)
    assert quick.duplicate_keys == slow.duplicate_keys
    places = spread(slow.marks)
    assert spread(quick.marks) == places
    for path, place in places:
        mark, depth = quick.marks.at(path)
        assert (mark[:4], depth) == (place, len(path))
        assert quick.marks.place((*path, "nowhere")) == (*place[:2], len(path))
    return True


@given(HEADS, OBJECTS, LAYOUTS, TAILS)
@example("---\n", {"a": {"b": [1, {"c": "d"}], "e": {}}}, {"indent": 2}, "\n")
@example("", {"\\u0041": "\\\\u", "b": 'a\nb"c'}, {"indent": 4}, "\n")
@example("", {"": {"": [[], {}]}}, {"indent": None}, "")
def test_what_is_taken_is_read_as_the_long_way_reads_it(
    head: str, value: dict[str, Any], layout: dict[str, Any], tail: str
) -> None:
    same(f"{head}{json.dumps(value, **layout)}{tail}")


@given(OBJECTS, LAYOUTS, st.data())
def test_so_is_a_text_that_somebody_broke(value: dict[str, Any], layout: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value, **layout)
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 3)))
    put = data.draw(st.sampled_from(PIECES))
    same(f"{text[:at]}{put}{text[end:]}")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '---\n{\n  "a": [1.0, -0, 1e3, true, null, "b"],\n  "c": {}\n}\n',
        '{\n\t"a": "b \\" \\n \\\\n c"\n}\n',
        '{"a": 18446744073709551615, "b": 9223372036854775808, "c": 1e-7, "d": 1e999}',
    ],
)
def test_ordinary_json_is_taken(text: str) -> None:
    assert same(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": "\\u0041"}',
        '{"a": "é"}',
        '{"a": "\x7f"}',
        '{"a"\n: 1}',
        f'{{"{"a" * 1_030}": 1}}',
        '{"a": 1} # said',
        '{"a": 1, }',
        "[1]",
        ' {"a": 1}',
        '--- {"a": 1}',
        f'{{"a": {"[" * DEPTH}{"]" * DEPTH}}}',
        "".join(['{"a": [', ",\n".join("1" * (ORDINARY + 1)), "]}"]),
    ],
)
def test_everything_else_takes_a_closer_look(text: str) -> None:
    assert ordinary_json.document(text, 1) is None


def test_a_document_is_taken_up_to_the_bound_of_its_depth() -> None:
    assert same(f'{{"a": {"[" * (DEPTH - 1)}{"]" * (DEPTH - 1)}}}')
    assert same(f'{{"a": [{", ".join(["{}"] * DEPTH)}]}}')


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1' + "\n" * 3_000_000 + "}",
        '{"a"' + " " * 3_000_000 + ": 1}",
        '{"a": [' + "".join(" " * (900 + number % 90) + f"{number},\n" for number in range(3_000)) + "0]}",
        '{"a": [0' + "".join("," + " " * (900 + number % 90) + f"\n{number}" for number in range(3_000)) + "]}",
        '{"a": "' + '\\"' * 400 + '"}',
    ],
    ids=["line breaks", "before a colon", "before values", "behind commas", "escapes"],
)
def test_the_work_grows_with_the_text(text: str) -> None:
    start = time.process_time()
    found = ordinary_json.document(text, 1)
    if found is not None:
        assert found.marks.place(("a",))[2] == 1
    assert time.process_time() - start < 2


def test_places_count_from_the_beginning_of_the_file() -> None:
    first = '{\n  "a": {\n    "b": 1\n  }\n}\n'
    parsed: Parsed = parse(f"{first}---\n{first}---\nc: 1\n".encode())
    one, two, three = parsed.documents
    assert isinstance(one.marks.children, Marks)
    assert one.marks.place(("a", "b", "c")) == (3, 5, 2)
    assert two.marks.place(("a", "b")) == (9, 5, 2)
    assert two.marks.at(("a",))[0].value_line == 8
    assert two.marks.place(("z",)) == (7, 1, 0)
    assert three.marks.place(("c",)) == (13, 1, 1)


def test_documents_of_one_build_share_their_marks_and_not_their_lines() -> None:
    text = '---\n{\n  "a": "one"\n}\n---\n{\n  "a": "other one"\n}\n'
    one, two = parse(text.encode()).documents
    assert (one.value, two.value) == ({"a": "one"}, {"a": "other one"})
    assert [each.marks.place(("a",)) for each in (one, two)] == [(3, 3, 1), (7, 3, 1)]
