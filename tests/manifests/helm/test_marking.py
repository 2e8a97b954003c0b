"""Where marks stand in a template; ``<n>`` is the mark of site n in what these tests compare."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.helm.actions import Malformed, actions
from manifests.helm.constants import settle_data, settle_template
from manifests.helm.marking import Marker, definitions

TOKEN = "tok"


def mark(text: str, *defined: str) -> tuple[str, Marker]:
    marker = Marker(TOKEN, frozenset(defined))
    marked = marker.template(0, text, list(actions(text)))
    return marker.pattern.sub(r"<\1>", marked), marker


def lines(number: int) -> str:
    return f' | tuple "{number}" | include "tok.lines"'


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a: b", "a: b<0>"),
        ("a: b\r\nc: d\r\n", "a: b<0>\r\nc: d<1>\r\n"),
        ("\n  \n---\n# x\n", "\n  \n---\n# x\n"),
        ("a: {{ .x }}\n", "a: {{ .x }}<0>\n"),
        ("a: {{ .x -}}\nb: c", "a: {{ .x -}}\nb: c<0>"),
        ("a: {{ if .x }}b{{ end }}", "a: {{ if .x }}b{{ end }}<0>"),
        ("a: {{ if .x }}\n  b: c\n{{ end }}", "a: <0>{{ if .x }}\n  b: c<1>\n{{ end }}"),
        ("a: b {{- end -}}\n", "a: b <0>{{- end -}}\n"),
        ("{{ if .x }}a: b\n{{ end }}", "{{ if .x }}a: b<0>\n{{ end }}"),
        ("{{- $x := .y }}\n{{/* a: b */}}\n", "{{- $x := .y }}\n{{/* a: b */}}\n"),
        ("{{ .x }}\n", "{{ .x }}\n"),
        ("  {{- toYaml .x | nindent 2 }}\n", f"  {{{{- toYaml .x | nindent 2{lines(0)} }}}}\n"),
        ("a: {{- toYaml .x | nindent 2 }}", f"a: <0>{{{{- toYaml .x | nindent 2{lines(1)} }}}}"),
        (
            "a:{{ with .x }} {{ toYaml . | nindent 2 }}{{ end }}",
            f"a:<0>{{{{ with .x }}}} {{{{ toYaml . | nindent 2{lines(1)} }}}}{{{{ end }}}}",
        ),
        ("a: {{ toYaml .x }}", "a: {{ toYaml .x }}<0>"),
        ('{{ include "x" . }}', f'{{{{ include "x" .{lines(0)} }}}}'),
        ('{{ template "x" }}', f'{{{{ include "x" nil{lines(0)} }}}}'),
        ('{{ template "x" f 1 | g }}', f'{{{{ include "x" (f 1 | g){lines(0)} }}}}'),
        (
            '{{ include (print .x "/a.yaml") . | sha1sum }}',
            '{{ include (print .x "/a.yaml") . | include "tok.plain" | sha1sum }}',
        ),
        ("a: {{ f\n 1 }}\nb: c", "a: {{ f\n 1 }}<0>\nb: c<1>"),
    ],
)  # fmt: skip
def test_a_mark_stands_where_it_harms_nothing(text: str, marked: str) -> None:
    begin = text.count("{{ end }}") + text.count("{{- end -}}")
    end = len(re.findall(r"\{\{-? ?(?:if|with) ", text))
    opened, closed = "{{ if 1 }}" * (begin - end), "{{ end }}" * (end - begin)
    found, _ = mark(f"{opened}{text}{closed}")
    assert found == f"{opened}{marked}{closed}"


def test_a_definition_keeps_its_text_and_has_a_marked_twin() -> None:
    text = (
        '{{- define "x" -}}\na: b\n{{- end }}\nc: d\n{{ include "x" . | indent 2 }}\ne: {{ include "x" . | quote }}\n'
    )
    found, marker = mark(text, "x")
    twin = '{{define "x~tok" -}}\na: b<4>\n{{- end}}'
    assert found == (
        '{{- define "x" -}}\na: b\n{{- end }}\nc: d<0>\n'
        f'{{{{ include "x~tok" . | indent 2{lines(1)} }}}}\n'
        f'e: {{{{ include "x" . | quote }}}}<2>\n{twin}'.replace("<4>", "<3>")
    )
    assert [(site.line, site.prints_lines) for site in marker.sites] == [(4, False), (5, True), (6, False), (2, False)]


@pytest.mark.parametrize(
    "call",
    [
        '{{ include "x" . | quote }}',
        'a{{ include "x" . | nindent 2 | quote }}',
        '{{ f (include "x" .) | nindent 2 }}',
        '{{ include "unknown" . }}',
        '{{ $y := include "x" . }}',
        '{{ if include "x" . }}{{ end }}',
        'a: {{ template "x" . }}',
    ],
)
def test_only_a_call_that_prints_whole_lines_uses_the_twin(call: str) -> None:
    assert "~tok" not in mark(call, "x")[0]


def test_a_block_without_an_end_is_malformed() -> None:
    for text in ("{{ if .x }}", "{{ define `x` }}", "{{ end }}"):
        with pytest.raises(Malformed):
            list(definitions(list(actions(text))))


def test_a_site_keeps_the_line_with_holes_for_its_actions() -> None:
    _, marker = mark("\n  a: {{ .x }}/{{ .y }}\n")
    assert [(site.line, site.text) for site in marker.sites] == [(2, "  a: \0/\0")]


def test_a_line_with_very_many_actions_is_left_alone() -> None:
    assert not mark("a: " + "{{ .x }}" * 60)[1].sites


PIECES = [
    "a: b",
    "\n",
    "  ",
    "{{ .x }}",
    "{{- if .x }}",
    "{{ end -}}",
    '{{ include "x" . | nindent 2 }}',
    "{{/* c */}}",
]


@given(st.lists(st.sampled_from([*PIECES, '{{ define "x" }}', '{{ template "x" }}', "- ", "---"]), max_size=12))
def test_without_its_marks_the_text_is_the_same_before_the_twins(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        found, marker = mark(text, "x")
    except Malformed:
        return
    plain = re.sub(r' \| tuple "\d+" \| include "tok.lines"', "", re.sub(r"<\d+>", "", found))
    plain = plain.replace('include "x" nil', 'template "x"').replace("x~tok", "x").replace("~tok", "")
    shown = text.replace('template "x"', 'include "x" nil')
    assert plain.replace('template "x"', 'include "x" nil').startswith(shown)
    assert all(1 <= site.line <= text.count("\n") + 1 for site in marker.sites)


WORDS = [
    "{{",
    "}}",
    " ",
    "-",
    "template",
    "include",
    '"x"',
    "(",
    ")",
    "|",
    ",",
    ":=",
    ".",
    "$x",
    "nindent",
    "define",
    "end",
]


@given(st.lists(st.sampled_from([*WORDS, "if", "keys", "now", "randInt", "toYaml", "a: ", "\n"]), max_size=14))
def test_no_template_is_too_odd(pieces: list[str]) -> None:
    text = "{{ " + "".join(pieces)
    settle_data(text)
    try:
        mark(settle_template(text).text, "x")
    except Malformed:
        return
