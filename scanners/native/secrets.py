"""Secret values written into environment variables. Values are looked at and never repeated."""

from __future__ import annotations

import re

from model.values import mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

NAME = re.compile(
    r"(?:^|[_\-.])(?:pass(?:wd|word|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|credentials?|auth)"
    r"(?:$|[_\-.]?\d*$)",
    re.IGNORECASE,
)
"""The end of a name says what it holds: PASSWORD_FILE and TOKEN_URL hold something else."""
SHAPES = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bxox[abprs]-[0-9A-Za-z-]{10}"
    r"|\bsk_live_[0-9A-Za-z]{16}|\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.|[a-z][a-z0-9+.-]{1,20}://[^/\s:@]{1,80}:[^/\s@$]{3,80}@"
)
"""Formats that are secrets wherever they stand."""
PLACEHOLDER = re.compile(
    r"(?i)^(?:|true|false|yes|no|none|null|\d{1,5}|changeme|change-me|replace.?me|todo|x{3,}|\*+|<.*>|\$[({].*[)}]|\{\{.*\}\}"
    r"|your[-_ ].*|example|placeholder|/.*)$"
)
MOST = 20_000
"""Characters of a value that are looked at."""


@container_check("secrets-in-env")
def secrets_in_env(container: ContainerView) -> Flaws:
    """By the name of the variable or the shape of its literal value; references and placeholders are silent."""
    for position, entry in enumerate(sequence(container.value.get("env"))):
        variable = mapping(entry)
        name, value = text(variable.get("name")), text(variable.get("value"))[:MOST]
        if (NAME.search(name) and not PLACEHOLDER.match(value)) or SHAPES.search(value):
            yield Flaw(container.at("env", position, "value"), f"holds a secret in the variable {name[:60]}")


@container_check("duplicate-env-var")
def duplicate_env_var(container: ContainerView) -> Flaws:
    """Of two variables of a name the later one counts."""
    seen: set[str] = set()
    for position, entry in enumerate(sequence(container.value.get("env"))):
        name = text(mapping(entry).get("name"))
        if name and name in seen:
            yield Flaw(container.at("env", position, "name"), f"sets the variable {name[:60]} twice")
        seen.add(name)
