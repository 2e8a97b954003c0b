from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.text import Terminal, annotation, csv_cell, json_text, line, plain, sarif_text, terminal, words
from tests.reporting.runner import commands

HARMLESS = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]*")


@given(st.text())
@pytest.mark.threat("O6")
def test_no_untrusted_text_starts_a_command_of_the_runner(text: str) -> None:
    assert commands(line(terminal("{}", text))) == []
    assert commands(line(terminal("{}{}", text, text))) == []


@pytest.mark.parametrize(
    "attack",
    [
        "::set-output name=verdict::passed",
        " \u00a0::error::x",
        "x##[set-output name=passed]true",
        "x\r::error::y",
        "#\u200b#[error]x",
        "##\x1b[0m[add-matcher]x",
        "\u2028::error::x",
    ],
)
@pytest.mark.threat("O6", "O7")
def test_known_injections_are_broken(attack: str) -> None:
    assert commands(line(terminal("{}", attack))) == []
    assert commands(line(Terminal("  "), terminal("{}", attack))) == []


@given(st.text())
@pytest.mark.threat("O7")
def test_what_is_left_is_one_line_of_visible_characters(text: str) -> None:
    assert HARMLESS.fullmatch(plain(text))
    assert len(plain(text, 50)) <= 50


@pytest.mark.parametrize(
    ("untrusted", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("a\x9b31mb", "ab"),
        ("two\nlines", "two lines"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("x" * 400, "x" * 299 + "…"),
    ],
)
@pytest.mark.threat("O7")
def test_escape_sequences_controls_and_length_are_tamed(untrusted: str, harmless: str) -> None:
    assert plain(untrusted) == harmless


@given(st.dictionaries(st.text(), st.text()) | st.just({"x##[error]": "\x9b2J\u202e##[##["}))
@pytest.mark.threat("O6", "O7")
def test_json_for_a_log_is_the_same_value_and_holds_no_command(value: dict[str, str]) -> None:
    text = json_text(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert commands(text) == []
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_a_sarif_message_holds_no_link() -> None:
    assert "](" not in sarif_text("{}", "[click](https://evil.example)")
    assert sarif_text("{}", "containers[0]") == "containers[0]"


@given(st.text(), st.text(), st.text())
@pytest.mark.threat("O6")
def test_an_annotation_is_one_command_with_our_name_whatever_it_tells(path: str, title: str, message: str) -> None:
    text = annotation("error", {"file": path, "line": 3, "title": title}, terminal("{}", message))
    (got,) = commands(text)
    assert (got.name, got.legacy, got.properties.get("line")) == ("error", False, "3")
    assert set(got.properties) == {"file", "line", "title"}
    assert len(got.data) <= 4096


def test_what_an_annotation_tells_comes_back_as_it_was() -> None:
    text = annotation("error", {"file": "a,b:c=100%.yaml"}, Terminal("50% off\nfix: 100%0A"))
    (got,) = commands(text)
    assert (got.properties, got.data) == ({"file": "a,b:c=100%.yaml"}, "50% off\nfix: 100%0A")


@given(st.text())
def test_plain_words_hold_only_what_xml_allows(text: str) -> None:
    allowed = r"[\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*"
    assert re.fullmatch(allowed, words("{}", text))


@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r\n@x", "\uff1dcmd", "\u200b=1"])
@pytest.mark.threat("O1")
def test_a_cell_that_would_be_a_formula_starts_with_an_apostrophe(formula: str) -> None:
    assert csv_cell(formula).startswith("'")


def test_an_ordinary_cell_and_a_number_stay_what_they_are() -> None:
    assert [csv_cell("a=b"), csv_cell(12), csv_cell("")] == ["a=b", "12", ""]
