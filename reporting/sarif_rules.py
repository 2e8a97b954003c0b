"""Controls as the rules of a SARIF file: what GitHub shows beside an alert, within its limits.

``help.markdown`` is shown where there is one (docs.github.com, "SARIF support for code scanning"); its links lead to
the publishers of standards and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import sarif_om as sarif

from model.control import Control, Severity
from reporting.control_words import framework_name
from reporting.markdown_findings import said
from reporting.text import sarif_text
from reporting.text_markdown import Markdown, code, joined, markdown

MOST_TAGS = 10
"""Of a rule, code scanning keeps."""
LONGEST_NAME = 255
LONGEST_DESCRIPTION = 1_024
"""Characters of the short and of the full one."""
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SECURITY_SEVERITIES: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.5",
}
"""Strings above 0.0, in the middle of the band that GitHub shows under the same word."""

_POD_SECURITY = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_OWASP = "https://owasp.org/www-project-kubernetes-top-ten/"
_CIS = "https://www.cisecurity.org/benchmark/kubernetes"
PAGES: Mapping[str, str] = {
    "cis-1.10": _CIS,
    "cis-1.12": _CIS,
    "pss-baseline": f"{_POD_SECURITY}#baseline",
    "pss-restricted": f"{_POD_SECURITY}#restricted",
    "mitre": "https://attack.mitre.org/matrices/enterprise/containers/",
    "owasp-2022": _OWASP,
    "owasp-2025": _OWASP,
}
"""Where the publisher of a framework explains it."""
_TECHNIQUE = re.compile(r"(T\d{4})(?:\.(\d{3}))?")


def rule(control: Control) -> sarif.ReportingDescriptor:
    """With help in plain text and in Markdown."""
    return sarif.ReportingDescriptor(
        id=control.id,
        name="".join(word.capitalize() for word in re.split(r"[^A-Za-z0-9]+", control.id))[:LONGEST_NAME],
        short_description=_description(control.title or control.id),
        full_description=_description(control.why or control.title or control.id),
        help=sarif.MultiformatMessageString(text=_help(control), markdown="\n".join(_help_markdown(control))),
        default_configuration=sarif.ReportingConfiguration(level=LEVELS[control.severity]),
        properties={
            "security-severity": SECURITY_SEVERITIES[control.severity],
            "precision": "high",
            "tags": ["security", "kubernetes", control.category, *sorted(control.compliance)][:MOST_TAGS],
        },
    )


def _description(text: str) -> sarif.MultiformatMessageString:
    return sarif.MultiformatMessageString(text=sarif_text("{}", text)[:LONGEST_DESCRIPTION])


def _help(control: Control) -> str:
    parts = [sarif_text("{}", control.why), sarif_text("Fix: {}", control.remedy)]
    if control.compliance:
        named = (f"{framework_name(key)}: {', '.join(ids)}" for key, ids in sorted(control.compliance.items()))
        parts.append(sarif_text("References: {}", "; ".join(named)))
    return "\n\n".join(parts)


def _help_markdown(control: Control) -> Iterator[Markdown]:
    yield said(control, control.why)
    yield Markdown("")
    yield markdown("**Fix:** {}", said(control, control.remedy))
    if not control.unmapped:
        yield Markdown("")
        yield markdown("**More:** {}", f"hardening-gate explain {control.id}")
    if control.compliance:
        yield Markdown("")
        yield Markdown("**References:**")
        yield Markdown("")
    for framework, ids in sorted(control.compliance.items()):
        shown: Callable[[str], Markdown] = _technique if framework == "mitre" else code
        yield markdown("- {}: {}", _framework(framework), joined(map(shown, ids), ", "))


def _framework(key: str) -> Markdown:
    page = PAGES.get(key)
    name = framework_name(key).replace("&", "&amp;")
    return Markdown(f"[{name}]({page})" if page else name)


def _technique(id_: str) -> Markdown:
    """Each technique has a page of its own."""
    found = _TECHNIQUE.fullmatch(id_)
    if not found:
        return code(id_)
    path = "/".join(part for part in found.groups() if part)
    return Markdown(f"[{code(id_)}](https://attack.mitre.org/techniques/{path}/)")
