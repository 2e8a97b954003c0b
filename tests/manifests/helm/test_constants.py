"""Random functions of templates become constants; whatever only looks like one stays."""

from __future__ import annotations

import re

import pytest

from manifests.helm.constants import CALLED, DEFINITIONS, MOMENT, settle_data, settle_template, unsettle

UUID = "(print `00000000-0000-4000-8000-000000000000`)"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("randAlphaNum 5", "tuple 5 | include `hardening-gate.randAlphaNum`"),
        ("randAlpha 5 | lower", "tuple 5 | include `hardening-gate.randAlpha` | lower"),
        ("10 | randNumeric | quote", "10 | tuple | include `hardening-gate.randNumeric` | quote"),
        ("f (randInt 1 2)", "f (tuple 1 2 | include `hardening-gate.randInt` | int)"),
        (
            "$ca := genCA (printf `%s` uuidv4) 365",
            f"$ca := tuple (printf `%s` {UUID}) 365 | include `hardening-gate.genCA` | fromJson",
        ),
        ("(genCA `x` 1).Cert", "(tuple `x` 1 | include `hardening-gate.genCA` | fromJson).Cert"),
        ("now | date `2006`", f"{MOMENT} | date `2006`"),
        ("now.Unix", f"{MOMENT}.Unix"),
        ("if now", f"if {MOMENT}"),
        ('template "now" now', f'template "now" {MOMENT}'),
        ("keys .a .b", "keys .a .b | sortAlpha"),
        ("first (keys .a)", "first (keys .a | sortAlpha)"),
        ("values .a | first", "tuple .a | include `hardening-gate.values` | fromJsonArray | first"),
    ],
)
def test_a_call_becomes_a_constant_in_its_place(old: str, new: str) -> None:
    text = "a: {{- %s -}}\nnow: {{ .b }}"
    settled = settle_template(text % old)
    assert settled.text == text % new
    assert settled.names


@pytest.mark.parametrize(
    "action",
    [
        ".Values.now",
        "$now",
        '"now"',
        "`now | randAlpha 5`",
        "/* now */",
        "$x.now.uuidv4",
        "f .now",
        'define "now"',
        'template "now"',
        "keys .a | sortAlpha",
        "sub (keys .a | sortAlpha) 1",
        "nowhere",
        "derivePassword 1 `long` `p` `u` `s`",
    ],
)
def test_what_is_no_such_call_stays(action: str) -> None:
    text = f"now: randAlpha 5 {{{{{action}}}}}"
    settled = settle_template(text)
    assert (settled.text, settled.names) == (text, frozenset())


def test_a_text_that_is_no_template_stays() -> None:
    assert settle_template("{{ now }} {{ now").text == "{{ now }} {{ now"


def test_of_data_what_can_be_read_becomes_constant_and_the_rest_is_told() -> None:
    text = 'a: "{{ now }} {{ randAlpha 5 | printf \\"x\\" }}"\nb: {{ {{ uuidv4 }}'
    settled = settle_data(text)
    assert settled.text == text.replace("now", MOMENT).replace("uuidv4", UUID)
    assert settled.open
    assert not settle_data("a: '{{ now }}' # {{").open
    assert settle_data("{{ keys .a }}") == settle_data(
        "x",
    ).__class__(text="{{ keys .a }}", open=True)


@pytest.mark.parametrize(
    "text",
    [
        '{{ htpasswd "a" (genCA (randAlpha 5) 1).Cert | quote }} {{ now | date "2006" }}',
        "{{ randAlphaNum (randInt 3 7) | int }} {{ randInt 1 2 | int }} {{ uuidv4 }}",
        "{{ 3 | randAlpha }}{{\n  randNumeric 3\n}}",
        "{{ tuple 1 2 | include `mine` }} {{ tuple 1 | first }}",
    ],
)
def test_data_that_nobody_executed_is_given_back_as_it_was(text: str) -> None:
    assert unsettle(settle_data(text).text) == text
    quoted = text.replace('"', '\\"').replace("\n", "\\n")
    assert unsettle(settle_data(text).text.replace('"', '\\"').replace("\n", "\\n")) == quoted


def test_very_many_calls_take_linear_time() -> None:
    text = "{{ randAlpha 5 }}" * 20_000
    assert unsettle(settle_data(text).text) == text
    assert settle_data("{{ now " * 20_000).open


def test_each_called_function_has_its_definition_and_no_key_stands_in_it() -> None:
    assert re.findall(r'define "hardening-gate\.(\w+)"', DEFINITIONS) == sorted(CALLED)
    assert "BEGIN CERT" not in DEFINITIONS
    assert "PRIVATE KEY-----\n" not in DEFINITIONS
