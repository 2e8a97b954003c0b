"""How to accept a finding in place of fixing it, as a part of a comment: a waiver to copy, and when it counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from model.control import Control
from reporting.text_markdown import Markdown

WHEN: Final = {
    "base": "The policy of the base branch judges this change, so the waiver counts once it is merged there.",
    "head": "The policy that this change brings along judges it, so the waiver counts in this very change.",
}
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:/[A-Za-z0-9.-]+){2}")
"""A name that means itself in YAML; no Kubernetes object that an API server takes has another one."""


def how_to_waive(control: Control, name: str, policy_of: str) -> Iterator[Markdown]:
    """For a finding of ``control`` on the object ``name``; ``policy_of``: the side whose policy has judged."""
    rule = "ID" if control.unmapped else control.id
    resource = name if _PLAIN.fullmatch(name) else "KIND/NAMESPACE/NAME"
    yield Markdown(f"Add a waiver like this one to `.hardening-gate.yaml`. {WHEN[policy_of]}")
    yield Markdown("")
    yield Markdown("```yaml")
    yield Markdown("waivers:")
    yield Markdown(f"  - control: {rule}")
    yield Markdown(f"    resource: {resource}")
    yield Markdown("    reason: WHY IT IS ACCEPTABLE HERE")
    yield Markdown("    owner: WHO ANSWERS FOR IT")
    yield Markdown("    expires: YYYY-MM-DD")
    yield Markdown("```")
