"""Single inputs of the action, as the runner hands them over: ``INPUT_NAME``, with the hyphens of the name kept."""

from __future__ import annotations

from collections.abc import Mapping

from model.errors import UsageError


def given(environment: Mapping[str, str], name: str) -> str:
    """What an input says; empty where it says nothing."""
    return environment.get(f"INPUT_{name.upper()}", "").strip()


def is_true(environment: Mapping[str, str], name: str, *, otherwise: bool) -> bool:
    """An input that is ``true`` or ``false``; ``otherwise`` where it says nothing. Raises UsageError."""
    value = given(environment, name).lower()
    if value not in {"", "true", "false"}:
        raise UsageError(f"the input {name} is {value!r}", "Write true or false.")
    return value == "true" if value else otherwise
