from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.text import Terminal, line, plain, sarif_text, terminal

HARMLESS = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]*")


def runner_commands(log: str) -> list[str]:
    """What the runner takes for commands: its own splitting and matching (actions/runner, ActionCommand.cs)."""
    commands = []
    for row in re.split(r"\r\n|\r|\n", log):
        trimmed = row.lstrip()
        if (trimmed.startswith("::") and "::" in trimmed[2:]) or re.search(r"##\[[^\]]+\]", row):
            commands.append(row)
    return commands


@given(st.text())
def test_no_untrusted_text_starts_a_command_of_the_runner(text: str) -> None:
    assert runner_commands(line(terminal("{}", text))) == []
    assert runner_commands(line(terminal("{}{}", text, text))) == []


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
def test_known_injections_are_broken(attack: str) -> None:
    assert runner_commands(line(terminal("{}", attack))) == []
    assert runner_commands(line(Terminal("  "), terminal("{}", attack))) == []


@given(st.text())
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
def test_escape_sequences_controls_and_length_are_tamed(untrusted: str, harmless: str) -> None:
    assert plain(untrusted) == harmless


def test_a_sarif_message_holds_no_link() -> None:
    assert "](" not in sarif_text("{}", "[click](https://evil.example)")
    assert sarif_text("{}", "containers[0]") == "containers[0]"
