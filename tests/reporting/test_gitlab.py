from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from model.audit import Audit, ResultStatus
from model.control import Severity
from reporting.gitlab import render
from tests.audits import audit, failure, location, resource, result
from tests.reporting.test_sarif import CONTROL, HOSTILE

CONTROLS = {CONTROL.id: CONTROL}
SCHEMA = Draft202012Validator(json.loads(Path(__file__).with_name("code_quality.schema.json").read_bytes()))


def entries(head: Audit) -> list[dict[str, Any]]:
    """The report, once it has satisfied the schema."""
    got: list[dict[str, Any]] = json.loads(render(head, CONTROLS))
    SCHEMA.validate(got)
    prints = [entry["fingerprint"] for entry in got]
    assert len(set(prints)) == len(prints)
    return got


def test_a_failed_result_is_an_entry_with_place_and_our_fingerprint() -> None:
    found = result(location=location(line=12))
    assert entries(audit([resource()], [found])) == [
        {
            "description": "Container may start as root. Deployment/-/web container app: may run as root."
            " Set securityContext.runAsNonRoot to true.",
            "check_name": "run-as-non-root",
            "fingerprint": found.fingerprint,
            "severity": "critical",
            "location": {"path": "web.yaml", "lines": {"begin": 12}},
        }
    ]


@pytest.mark.parametrize(
    ("severity", "theirs"),
    [("critical", "blocker"), ("high", "critical"), ("medium", "major"), ("low", "minor"), ("info", "info")],
)
def test_each_severity_has_its_own_word(severity: str, theirs: str) -> None:
    assert entries(audit([resource()], [result(severity=Severity(severity))]))[0]["severity"] == theirs


def test_what_passed_or_is_waived_is_no_entry() -> None:
    quiet = [result(status=ResultStatus.PASSED), result("b", status=ResultStatus.WAIVED)]
    assert entries(audit([resource()], quiet)) == []


def test_what_was_not_scanned_is_an_entry_that_moving_lines_do_not_change() -> None:
    (one,) = entries(audit(failures=[failure(line=3, scanner="trivy")]))
    assert one["severity"] == "blocker"
    assert one["check_name"] == "not-scanned"
    assert one["description"] == "Not scanned by trivy: it does not parse. Mend it."
    assert entries(audit(failures=[failure(line=9, scanner="trivy")]))[0]["fingerprint"] == one["fingerprint"]
    assert len(entries(audit(failures=[failure(line=3), failure(line=9)]))) == 2


def test_untrusted_text_is_plain() -> None:
    text = render(audit([resource()], [result(message=HOSTILE, container="a\nb")]), CONTROLS)
    assert "\\u001b" not in text
    assert "\u202e" not in text
    assert "container a b:" in text
