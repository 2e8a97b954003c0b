"""The lexer of templates: what text/template reads, and where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.helm.actions import Malformed, action_at, actions, commands


def words(text: str) -> list[list[str]]:
    return [[word.text for word in action.words] for action in actions(text)]


def called(text: str) -> list[tuple[str, str, bool]]:
    """Function, whole command, and whether something is piped into it."""
    return [
        (command.name, text[command.words[0].start : command.end], command.piped)
        for action in actions(text)
        for command in commands(action)
    ]


def test_an_action_is_cut_into_its_words() -> None:
    text = '{{ $x.y := f .a.b "s}}\\"" `r}}` \'c\' -1.5e-3 (g $ .) | h, }}'
    assert words(text) == [
        [
            "$x",
            ".y",
            ":=",
            "f",
            ".a",
            ".b",
            '"s}}\\""',
            "`r}}`",
            "'c'",
            "-1.5e-3",
            "(",
            "g",
            "$",
            ".",
            ")",
            "|",
            "h",
            ",",
        ]
    ]


def test_trim_markers_need_a_blank() -> None:
    found = list(actions("a {{- b -}} {{-3}} {{ c\n}}"))
    assert [(action.trims_before, action.trims_after) for action in found] == [(True, True), (False,) * 2, (False,) * 2]
    assert words("{{-3}}") == [["-3"]]


def test_comments_have_no_words_and_may_hold_anything() -> None:
    text = "{{/* now }} {{ */}}x{{- /* a\n */ -}}"
    assert [(action.is_comment, text[action.start : action.end]) for action in actions(text)] == [
        (True, "{{/* now }} {{ */}}"),
        (True, "{{- /* a\n */ -}}"),
    ]


def test_an_action_may_go_over_several_lines() -> None:
    assert words("{{ a\n  b }}") == [["a", "b"]]


@pytest.mark.parametrize("text", ["{{", "{{ a", "{{ }}", "{{ ( }}", "{{ (a }}", '{{ "a\n" }}', "{{ a ` }}", "{{/* a"])
def test_what_helm_refuses_is_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        list(actions(text))


@given(st.text(alphabet="{}-/* \n\"`'()|.$a1:=,", max_size=60))
def test_any_text_is_read_to_its_end_or_refused(text: str) -> None:
    try:
        found = list(actions(text))
    except Malformed:
        return
    ends = [0]
    for action in found:
        assert action.start >= ends[-1]
        assert (text[action.start : action.start + 2], text[action.end - 2 : action.end]) == ("{{", "}}")
        assert all(text[word.start : word.end] == word.text for word in action.words)
        for command in commands(action):
            assert action.start < command.words[0].start < command.end < action.end
        ends.append(action.end)


def test_an_action_beyond_the_limit_is_not_read() -> None:
    with pytest.raises(Malformed):
        action_at("{{ abc }}", 0, 5)
    assert action_at("{{ abc }}}}", 0, 9).end == 9


def test_commands_are_found_in_pipes_and_parentheses() -> None:
    assert called("{{ $x := f 1 | g (h .a | k) }}") == [
        ("f", "f 1", False),
        ("h", "h .a", False),
        ("k", "k", True),
        ("g", "g (h .a | k)", True),
    ]
    assert called("{{ (f .a).b }}")[-1] == ("", "(f .a).b", False)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ if f }}{{ else if g }}{{ else }}{{ end }}", ["f", "g"]),
        ('{{ template "now" f }}{{ block "x" g }}{{ end }}', ["f", "g"]),
        ("{{ range $k, $v := f }}{{ break }}{{ end }}", ["f"]),
        ('{{ define "now" }}{{ end }}{{ template "now" }}', []),
        ("{{ with f }}{{ else with g }}{{ end }}", ["f", "g"]),
    ],
)
def test_keywords_are_no_functions(text: str, names: list[str]) -> None:
    assert [name for name, _, _ in called(text)] == names


def test_functions_as_operands_are_found() -> None:
    (action,) = actions("{{ f now (g uuidv4) .now $now }}")
    assert [[word.text for word in command.operand_names()] for command in commands(action)] == [["uuidv4"], ["now"]]
