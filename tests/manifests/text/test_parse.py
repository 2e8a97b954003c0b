from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from manifests.text import parse as parsing
from manifests.text import scalars
from manifests.text.compose import ALIASES, DEPTH, Budget
from manifests.text.parse import DOCUMENTS, Parsed, parse
from model.values import FieldPath, Json, Mark


def values(text: str | bytes) -> list[Json]:
    parsed = parse(text.encode() if isinstance(text, str) else text)
    assert parsed.broken == []
    return [document.value for document in parsed.documents]


def broken(text: str | bytes) -> tuple[int | None, str]:
    parsed = parse(text.encode() if isinstance(text, str) else text)
    assert len(parsed.broken) == 1, parsed
    return parsed.broken[0].line, parsed.broken[0].reason


def marks(mark: Mark, path: FieldPath = ()) -> list[tuple[FieldPath, Mark]]:
    found = [(path, mark)]
    for step, child in (mark.children or {}).items():
        found += marks(child, (*path, step))
    return found


# ---------------------------------------------------------------- documents


@pytest.mark.parametrize(
    "separator",
    [
        "---\n",
        "--- \n",
        "--- # next\n",
        "---\t\n",
        "---\r\n",
        "\n---\n# c\n",
        "...\n---\n",
        "---\n\ufeff",
        "\ufeff---\n",
    ],
)
@pytest.mark.threat("Y10")
def test_every_legal_separator_separates(separator: str) -> None:
    assert values(f"a: 1\n{separator}b: 2") == [{"a": 1}, {"b": 2}]


def test_a_document_may_start_on_the_line_of_its_separator() -> None:
    assert values("--- {a: 1}\n--- 'b'\n") == [{"a": 1}, "b"]


def test_three_dashes_inside_a_block_scalar_do_not_separate() -> None:
    assert values("a: |\n  x\n  ---\n  y\nb: '---'\n") == [{"a": "x\n---\ny\n", "b": "---"}]


def test_directives_belong_to_their_document() -> None:
    assert values("%YAML 1.1\n---\na: 1\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_empty_documents_are_null_or_nothing() -> None:
    assert values("---\n---\n# only a comment\n--- \n") == [None, None, None]
    assert values("") == []
    assert values("# nothing\n") == []


@pytest.mark.threat("Y10")
def test_crlf_reads_as_lf() -> None:
    assert values("a: 1\r\nb: |\r\n  x\r\n  y\r\n---\r\nc: 2\r\n") == [{"a": 1, "b": "x\ny\n"}, {"c": 2}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.threat("Y12")
def test_the_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert values("ä: ö\n---\nb: 2\n".encode(encoding)) == [{"ä": "ö"}, {"b": 2}]


def test_utf_16_of_the_other_order_is_read() -> None:
    assert values(b"\xfe\xff" + "a: ü\n".encode("utf-16-be")) == [{"a": "ü"}]


@pytest.mark.threat("Y12")
def test_bad_bytes_are_told_with_their_line() -> None:
    assert broken(b"a: 1\nb: \xff\n") == (2, "the file is not valid UTF-8")
    assert broken("a: ä\n".encode("latin-1")) == (1, "the file is not valid UTF-8")
    assert broken(b"\xff\xfea") == (1, "the file is not valid UTF-16")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\x9b", "\ufffe"])
@pytest.mark.threat("Y12")
def test_a_control_character_breaks_its_document_alone(character: str) -> None:
    parsed = parse(f"a: 1\n---\nb: 1\nc: {character}\n---\nd: 1\n".encode())
    assert [document.value for document in parsed.documents] == [{"a": 1}, {"d": 1}]
    assert parsed.broken[0].line == 4
    assert f"U+{ord(character):04X}" in parsed.broken[0].reason


@pytest.mark.threat("S8")
def test_what_is_broken_leaves_the_documents_around_it() -> None:
    parsed = parse(b"a: 1\n---\nb: [\n---\nc: 2\n---\nd: '\n---\ne: 3\n")
    assert [document.value for document in parsed.documents] == [{"a": 1}, {"c": 2}, {"e": 3}]
    assert [each.line for each in parsed.broken] == [4, 8]


def test_a_good_document_before_the_error_in_the_same_part_is_kept() -> None:
    parsed = parse(b"a: 1\n...\n}\n")
    assert [document.value for document in parsed.documents] == [{"a": 1}]
    assert parsed.broken[0].reason.startswith("not valid YAML: ")


# ---------------------------------------------------------------- values


@pytest.mark.threat("Y14")
def test_keys_that_are_no_text_become_text_and_stay_apart() -> None:
    assert values("1: a\ntrue: b\n1.5: c\n'x': d\n") == [{"1": "a", "true": "b", "1.5": "c", "x": "d"}]


@pytest.mark.parametrize("text", ["? [a]\n: b", "? {a: 1}\n: b", "~: 1", "a: &x [1]\n*x : 2"])
@pytest.mark.threat("Y14")
def test_a_key_that_json_cannot_hold_is_refused(text: str) -> None:
    assert "no key in JSON" in broken(text)[1]


def test_quoted_scalars_are_text() -> None:
    assert values("[\"1\", '0x1', \"yes\", '~', \"\", '=']") == [["1", "0x1", "yes", "~", "", "="]]


@pytest.mark.threat("Y14")
def test_not_a_number_is_refused_as_by_kubectl() -> None:
    assert broken("a: 1\nb: .nan\n") == (2, ".nan is no number in JSON")


@pytest.mark.threat("Y5", "Y7")
def test_unknown_tags_keep_the_value_and_leave_a_remark() -> None:
    parsed = parse(b"a: !Ref x\nb: !GetAtt [c, d]\nc: !!set {e}\nd: !!python/object/apply:os.system [id]\n")
    assert parsed.documents[0].value == {"a": "x", "b": ["c", "d"], "c": {"e": None}, "d": ["id"]}
    assert [each.line for each in parsed.odd] == [1, 2, 3, 4]
    assert "!!python/object/apply:os.system" in parsed.odd[3].reason


@pytest.mark.threat("Y8")
def test_the_last_of_equal_keys_counts_and_the_others_are_told() -> None:
    (document,) = parse(b"a: 1\nb: [{c: 1, c: 2}]\na: 2\n").documents
    assert document.value == {"a": 2, "b": [{"c": 2}]}
    assert document.duplicate_keys == (("b", 0, "c"), ("a",))
    assert document.marks.at(("a",))[0].line == 3


def test_keys_that_become_equal_in_json_are_duplicates() -> None:
    (document,) = parse(b"1: a\n'1': b\n").documents
    assert (document.value, document.duplicate_keys) == ({"1": "b"}, (("1",),))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<<: {a: 1, b: 1}\na: 2", {"a": 2, "b": 1}),
        ("a: 2\n<<: {a: 1, b: 1}", {"a": 1, "b": 1}),
        ("<<: [{a: 1}, {a: 2, b: 2}]", {"a": 1, "b": 2}),
        ("<<: {a: 1}\n<<: {a: 2}", {"a": 2}),
        ("'<<': {a: 1}", {"<<": {"a": 1}}),
        ("!!merge <<: {a: 1}", {"a": 1}),
        ("x: <<", {"x": "<<"}),
    ],
)
def test_merge_keys_count_in_the_order_of_the_text_as_kubernetes_reads_them(text: str, value: Json) -> None:
    assert values(text) == [value]


@pytest.mark.threat("Y8")
def test_a_merge_that_takes_over_a_written_key_is_told() -> None:
    assert parse(b"a: 2\n<<: {a: 1}").documents[0].duplicate_keys == (("a",),)
    assert parse(b"<<: {a: 1}\na: 2").documents[0].duplicate_keys == ()
    assert parse(b"<<: {a: 1}\na: 2\na: 3").documents[0].duplicate_keys == (("a",),)


@pytest.mark.parametrize("text", ["<<: 1", "<<: ~", "<<: [1]", "x: &x [{a: 1}]\ny:\n  <<: *x"])
def test_a_merge_of_something_else_is_refused(text: str) -> None:
    assert "takes a mapping" in broken(text)[1]


def test_aliases_share_their_value_and_its_marks() -> None:
    (document,) = parse(b"a: &x\n  b: 1\nc: *x\n*x2 : 1\n".replace(b"*x2 : 1\n", b"")).documents
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.marks.at(("c",))[0][:4] == (3, 1, 3, 4)
    assert document.marks.at(("c", "b"))[0].line == 2


def test_an_anchor_of_another_document_is_unknown() -> None:
    parsed = parse(b"a: &x 1\n---\nb: *x\n")
    assert parsed.broken[0].reason.startswith("an alias names no anchor")


# ---------------------------------------------------------------- bounds


@pytest.mark.parametrize("text", ["&a [*a]", "&a {b: *a}", "&a {b: [&b {c: *a}]}", "a: &a\n  <<: *a"])
@pytest.mark.threat("Y4")
def test_a_value_that_contains_itself_is_refused(text: str) -> None:
    assert "contains itself" in broken(text)[1]


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, '{"a":' * 100_000, "? " * 100_000])
@pytest.mark.threat("Y3")
def test_no_nesting_crashes(text: str) -> None:
    assert broken(text)[1]


@pytest.mark.threat("Y3")
def test_nesting_is_bounded_with_aliases_followed() -> None:
    assert values("[" * DEPTH + "]" * DEPTH)
    assert "nested deeper" in broken("[" * (DEPTH + 1) + "]" * (DEPTH + 1))[1]
    chain = "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
    assert "nested deeper" in broken(f"a0: &a0 []\n{chain}")[1]


BOMBS = {
    "laughs": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 11)),
    "merges": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9)),
    "texts": f"a: &a {'x' * 1_000_000}\nb: [{', '.join(['*a'] * 9000)}]\n",
    "keys": f"? &a {'x' * 100_000}\n: 1\nb: [{', '.join(['{*a : 1}'] * 9000)}]\n",
    "aliases": f"a: &a 1\nb: [{', '.join(['*a'] * (ALIASES + 1))}]\n",
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.threat("Y1", "Y2")
def test_a_bomb_is_refused_in_no_time(name: str) -> None:
    start = time.perf_counter()
    assert re.search("aliases", broken(BOMBS[name])[1])
    assert time.perf_counter() - start < 2


@pytest.mark.threat("Y1")
def test_what_aliases_add_is_bounded_over_all_files_of_a_run() -> None:
    budget = Budget(100)
    text = f"a: &a [{', '.join('x' * 30)}]\nb: [*a, *a]\n".encode()
    assert parse(text, budget).broken == []
    assert "to the files of this run" in parse(text, budget).broken[0].reason


@pytest.mark.threat("Y15")
def test_the_documents_of_a_file_are_bounded() -> None:
    parsed = parse(b"---\na: 1\n" * (DOCUMENTS + 5))
    assert len(parsed.documents) == DOCUMENTS
    assert parsed.broken[0].line == 2 * DOCUMENTS + 1


@pytest.mark.threat("Y15")
def test_a_file_of_broken_documents_leaves_few_words() -> None:
    assert len(parse(b"---\na: [\n" * 5000).broken) == parsing.REMARKS + 1
    assert len(parse(b"a:\n" + b" - !x 1\n" * 5000).odd) == parsing.REMARKS


# ---------------------------------------------------------------- JSON


@pytest.mark.threat("Y13")
def test_json_is_read_with_its_escapes() -> None:
    text = '{"a": "\\ud83d\\ude00", "b": "\\ud800", "c": "\\\\ud83d\\/", "d": "\x7f\u2028\x85\ufeffx", "e":\t1}'
    assert values(text) == [{"a": "😀", "b": "\ufffd", "c": "\\ud83d/", "d": "\x7f\u2028\x85\ufeffx", "e": 1}]


@pytest.mark.threat("Y13")
def test_surrogates_are_refused_in_yaml() -> None:
    assert "Unicode" in broken('a: "\\ud83d\\ude00"\n')[1]
    assert "Unicode" in broken('{a: 1, b: "\\ud800"}\n')[1]


def test_positions_in_json_survive_its_escapes() -> None:
    text = '{"a": "\\ud83d\\ude00\\u00e4", "b": {"\\ud800": [1,\n2], "c":3}}\n{"d": "\u2028", "e": 4}'
    first, second = parse(text.encode()).documents
    lines = text.split("\n")
    for document, key in ((first, "b"), (second, "e")):
        mark, _ = document.marks.at((key,))
        assert lines[mark.line - 1][mark.column - 1 :].startswith(f'"{key}"')
    mark, _ = first.marks.at(("b", "c"))
    assert lines[mark.value_line - 1][mark.value_column - 1] == "3"


def test_a_stream_of_json_values_is_as_many_documents() -> None:
    assert values('{"a": 1}{"b": 2}\n\n {"c": 3}\n') == [{"a": 1}, {"b": 2}, {"c": 3}]


def test_duplicate_keys_of_json_are_told() -> None:
    assert parse(b'{"a": 1, "a": 2}').documents[0].duplicate_keys == (("a",),)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=20,
)


def plainly(value: Any) -> Any:
    """As encoding/json and Kubernetes leave it: surrogates replaced, integral floats are integers."""
    if isinstance(value, dict):
        return {plainly(key): plainly(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plainly(each) for each in value]
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else value


@given(st.dictionaries(st.text(max_size=9), JSON, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_json_round_trips(value: dict[str, Any], ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if len({plainly(key) for key in value}) == len(value):
        assert values(text) == [plainly(value)]


TEXT = st.text(st.characters(codec="utf-8"), max_size=30).filter(
    lambda text: text[:1] not in scalars.HINTED or isinstance(scalars.resolve(text), str)
)
"""PyYAML leaves unquoted some that are no text for Kubernetes: ``y`` and ``0E0``."""
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(PLAIN, st.sampled_from([None, True, False]))
def test_what_pyyaml_writes_is_read_back(value: Any, flow: bool | None) -> None:  # noqa: FBT001
    text = yaml.dump(value, Dumper=yaml.CSafeDumper, default_flow_style=flow, allow_unicode=True)
    assert values(text) == [value]


# ---------------------------------------------------------------- positions


NAMES = st.text("abcxyz", min_size=1, max_size=6).map(lambda name: f"k-{name}")
NAMED = st.recursive(
    st.integers(0, 9) | st.text("é😀 x", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.lists(st.dictionaries(NAMES, NAMED, min_size=1, max_size=4), min_size=1, max_size=4),
    st.sampled_from([None, True, False]),
    st.sampled_from(["", "# \u2028# odd\n", "# \x85\n", "# lone \r# too\n"]),
    st.sampled_from(["\n", "\r\n"]),
)
@pytest.mark.threat("Y11")
def test_the_text_at_the_mark_of_a_key_is_that_key(
    documents: list[Any],
    flow: bool | None,  # noqa: FBT001
    comment: str,
    newline: str,
) -> None:
    dumped = [
        yaml.dump(each, Dumper=yaml.CSafeDumper, default_flow_style=flow, allow_unicode=True) for each in documents
    ]
    text = "".join(f"---\n{comment}{each}" for each in dumped).replace("\n", newline)
    lines = text.split("\n")
    parsed: Parsed = parse(text.encode())
    assert [document.value for document in parsed.documents] == documents
    for document in parsed.documents:
        for path, mark in marks(document.marks):
            if path and isinstance(path[-1], str):
                assert lines[mark.line - 1][mark.column - 1 :].startswith(path[-1])


@pytest.mark.parametrize("break_", ["\r", "\x85", "\u2028", "\u2029"])
@pytest.mark.threat("Y11")
def test_only_line_feeds_end_a_line(break_: str) -> None:
    (document,) = parse(f"a: 1 # x{break_}b: 2\nc: 3\n".encode()).documents
    assert document.marks.at(("c",))[0].line == 2
