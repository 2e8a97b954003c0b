"""Two renderings are compared: what both print the same is proven, the rest is not."""

from __future__ import annotations

from manifests.helm.actions import actions
from manifests.helm.marking import Marker
from manifests.helm.provenance import Provenance, trace, untraced
from manifests.text.parse import parse
from model.resource import Precision

FILES = ("a.yaml", "_h.tpl")
TEMPLATES = ("kind: Pod\nspec: {{ .x }}\n", '{{ define "h" }}\nport: 1\n{{ end }}')


def traced(plain: str, marked: str) -> Provenance:
    """``<n>`` is the mark of site n: ``kind`` 0, ``spec`` 1, ``port`` of the helper 2."""
    marker = Marker("tok", frozenset())
    for index, text in enumerate(TEMPLATES):
        marker.template(index, text, list(actions(text)))
    for number in (0, 1, 2, 77, 99999999999):
        marked = marked.replace(f"<{number}>", f" #\ue000tok.{number}\ue001")
    return trace(plain, marked, marker, untraced(FILES, TEMPLATES))


def where(provenance: Provenance) -> dict[int, tuple[str, int]]:
    return {number: (FILES[each.file], each.line) for number, each in provenance.lines.items()}


PLAIN = "---\n# Source: web/a.yaml\nkind: Pod\nspec: x\n\nport: 1\n"
PROVEN = {3: ("a.yaml", 1), 4: ("a.yaml", 2), 6: ("_h.tpl", 2)}


def test_equal_lines_have_the_place_of_their_mark() -> None:
    assert where(traced(PLAIN, "---\n# Source: web/a.yaml\nkind: Pod<0>\nspec: x<1>\n\nport: 1<2>\n")) == PROVEN


def test_blank_lines_and_blanks_at_the_end_prove_nothing_else() -> None:
    marked = "---\n# Source: web/a.yaml\n<1>\nkind: Pod<0>\nspec: x<1>  \nport: 1<2>\n\n<0>\n"
    assert where(traced(PLAIN.replace("x\n", "x  \n"), marked)) == PROVEN


def test_a_line_that_differs_is_not_proven() -> None:
    marked = "---\n# Source: web/a.yaml\nkind: Pod<0>\nspec: y<1>\nport: 1<2>\n"
    assert where(traced(PLAIN, marked)) == {3: ("a.yaml", 1), 6: ("_h.tpl", 2)}


def test_a_document_with_more_or_fewer_lines_proves_nothing_and_the_others_stay() -> None:
    second = "---\n# Source: web/a.yaml\nkind: Pod\n"
    marked = "---\n# Source: web/a.yaml\nkind: Pod<0>\nmore: 1\nspec: x\nport: 1\n" + second.replace("Pod", "Pod<0>")
    assert where(traced(PLAIN + second, marked)) == {9: ("a.yaml", 1)}


def test_documents_are_told_apart_by_their_template() -> None:
    other = "---\n# Source: web/b.yaml\nkind: Pod\n"
    assert where(traced(PLAIN, other.replace("Pod", "Pod<0>"))) == {}


def test_a_mark_whose_line_says_something_else_is_not_believed() -> None:
    marked = "---\n# Source: web/a.yaml\nkind: Pod<1>\nspec: x<77>\nport: 1<99999999999>\n"
    assert where(traced(PLAIN, marked)) == {}


def test_of_several_marks_the_first_that_holds_counts() -> None:
    marked = "---\n# Source: web/a.yaml\nkind: Pod<2><0>\nspec: x<1><1>\nport: 1\n"
    assert where(traced(PLAIN, marked)) == {3: ("a.yaml", 1), 4: ("a.yaml", 2)}


def test_an_object_starts_at_its_first_line_else_at_the_only_line_of_its_kind() -> None:
    marks = parse(PLAIN.encode()).documents[0].marks
    marked = "---\n# Source: web/a.yaml\nkind: Pod<0>\nspec: x<1>\nport: 1\n"
    for provenance in (traced(PLAIN, marked), traced(PLAIN, "")):
        start = provenance.start("a.yaml", marks, "Pod")
        assert start
        assert (start.line, start.precision) == (1, Precision.RESOURCE)
        assert provenance.start("b.yaml", marks, "Pod") is None
    assert traced(PLAIN, "").start("a.yaml", marks, "Job") is None


def test_a_kind_that_stands_twice_in_a_template_has_no_line() -> None:
    text = "kind: Pod\nkind: 'Job'\n---\nkind: Pod\n  kind: Other\nkind: {{ .x }}\n"
    assert untraced(("a.yaml",), (text,)).kinds == {("a.yaml", "Job"): 2}
