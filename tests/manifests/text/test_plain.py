"""The quick way and the careful way say the same of every text that the quick way does not give up on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml._yaml import CParser
from yaml.events import DocumentStartEvent

from manifests.text import plain
from manifests.text.chunks import chunks
from manifests.text.compose import Budget, Composer, Document

FIXTURES = sorted(Path("tests/fixtures").rglob("*.yaml"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def carefully(text: str) -> list[Document]:
    found = []
    for chunk in chunks(text):
        events = CParser(chunk.text)
        while (event := events.get_event()) is not None:
            if type(event) is DocumentStartEvent:
                found.append(Composer(chunk.place, lambda *_: None, Budget()).document(events.get_event))
    return found


def quickly(text: str) -> list[Document]:
    return [
        document
        for chunk in chunks(text)
        for document in plain.documents(CParser(chunk.text).get_event, chunk.line or 1)
    ]


@pytest.mark.parametrize("fixture", FIXTURES, ids=str)
def test_both_ways_say_the_same_of_every_fixture(fixture: Path) -> None:
    text = fixture.read_text(encoding="utf-8")
    try:
        found = quickly(text)
    except plain.NotOrdinary:
        return
    assert found == carefully(text)


@given(value=VALUES, flow=st.sampled_from([None, True, False]))
def test_both_ways_say_the_same_of_whatever_is_written(value: Any, flow: bool | None) -> None:  # noqa: FBT001
    text = yaml.safe_dump_all([value, {"a": [value]}], default_flow_style=flow, allow_unicode=True)
    if any(chunk.line is None for chunk in chunks(text)):
        return
    try:
        found = quickly(text)
    except (plain.NotOrdinary, ValueError, yaml.YAMLError):
        return
    assert found == carefully(text)


@pytest.mark.parametrize(
    "text",
    ["a: &x 1", "a: *x", "a: !!str 1", "<<: {}", "a: 1\na: 2", "? [a]\n: 1", "[" * 300 + "]" * 300, "!x a", "&x [a]"],
)
def test_it_gives_up_on_what_is_not_ordinary(text: str) -> None:
    with pytest.raises(plain.NotOrdinary):
        quickly(text)


def test_most_fixtures_are_ordinary() -> None:
    ordinary = 0
    for fixture in FIXTURES:
        try:
            quickly(fixture.read_text(encoding="utf-8"))
        except (plain.NotOrdinary, ValueError, yaml.YAMLError):
            continue
        ordinary += 1
    assert ordinary > 0.9 * len(FIXTURES)
