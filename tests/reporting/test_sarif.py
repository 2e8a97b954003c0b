from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Sarif

from model.audit import Audit, ResultStatus
from model.control import Applies, Control, Severity, Subject
from model.policy import Waiver
from model.resource import Location, Precision
from reporting.sarif import MOST_RESULTS, render
from reporting.sarif_rules import rule
from tests.audits import audit, failure, resource, result
from tests.reporting.rendered import ATTACKS, Rendered

HOSTILE = "\x1b[31m[x](javascript:alert(1))\u202e ::error::"
CONTROL = Control(
    id="run-as-non-root",
    title="Container may start as root",
    category="workload",
    severity=Severity.HIGH,
    subject=Subject.CONTAINER,
    applies=Applies(kinds=frozenset({"workload"})),
    why="Root in a container is root on the node.",
    remedy="Set securityContext.runAsNonRoot to true.",
    compliance={"cis-1.12": ("5.2.7",), "pss-restricted": ("runAsNonRoot",)},
    rules={"native": ("run-as-non-root",)},
)
CONTROLS = {CONTROL.id: CONTROL}


def sarif(of: Audit) -> Any:
    """The file, once it has satisfied the schema."""
    text = render(of, CONTROLS)
    Sarif.model_validate_json(text)
    return json.loads(text)


def run(of: Audit) -> Any:
    runs = sarif(of)["runs"]
    assert len(runs) == 1
    return runs[0]


def test_a_finding_becomes_a_result_with_place_rule_and_our_own_fingerprint() -> None:
    found = result()
    got = run(audit([resource()], [found]))["results"][0]
    assert got["ruleId"] == "run-as-non-root"
    assert got["partialFingerprints"] == {"primaryLocationLineHash": f"{found.fingerprint}:1"}
    place = got["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "web.yaml"
    assert place["region"] == {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 13}


def test_a_rule_has_help_a_severity_that_is_a_string_and_few_tags() -> None:
    rule = run(audit([resource()], [result()]))["tool"]["driver"]["rules"][0]
    assert rule["help"]["text"].startswith("Root in a container is root on the node.\n\nFix: Set ")
    assert rule["properties"]["security-severity"] == "8.0"
    assert len(rule["properties"]["tags"]) <= 10
    assert len(rule["name"]) <= 255


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_lies_in_the_band_of_its_name(severity: Severity) -> None:
    from reporting.sarif_rules import LEVELS, SECURITY_SEVERITIES

    number = float(SECURITY_SEVERITIES[severity])
    low, high = {"critical": (9, 10), "high": (7, 9), "medium": (4, 7), "low": (1, 4), "info": (0, 1)}[severity]
    assert low < number <= high
    assert LEVELS[severity] in {"error", "warning", "note"}


def test_the_category_ends_with_a_slash_or_code_scanning_would_read_none() -> None:
    assert run(audit([resource()], [result()]))["automationDetails"]["id"] == "hardening-gate/"


def test_what_was_not_scanned_is_a_notification_of_an_unsuccessful_run() -> None:
    invocation = run(audit([resource()], failures=[failure(line=7)]))["invocations"][0]
    assert invocation["executionSuccessful"] is False
    assert "it does not parse" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_a_waived_result_would_be_an_open_alert_and_is_left_out_and_counted() -> None:
    waiver = Waiver(control="run-as-non-root", resource="", reason="legacy", owner="@me")
    waived = result(status=ResultStatus.WAIVED, waiver=waiver)
    passed = result(status=ResultStatus.PASSED)
    got = run(audit([resource()], [waived, passed]))
    assert got["results"] == []
    assert [note["message"]["text"] for note in got["invocations"][0]["toolExecutionNotifications"]] == [
        "Findings that waivers accept are left out: 1. They stand in audit.json."
    ]
    assert got["invocations"][0]["executionSuccessful"] is True


def test_a_message_says_what_is_wrong_where_and_then_what_to_do() -> None:
    found = run(audit([resource()], [result()]))["results"][0]
    assert found["message"]["text"] == (
        "Deployment/-/web, container app: may run as root.\nFix: Set securityContext.runAsNonRoot to true."
    )
    place = Location(path="chart/a.yaml", line=1, column=1, precision=Precision.FILE)
    found = run(audit([resource()], [result(location=place)]))["results"][0]
    assert "may run as root (the line is not known).\n" in found["message"]["text"]


def test_a_rule_is_explained_with_links_to_the_publishers_of_standards() -> None:
    control = replace(
        CONTROL, compliance={"mitre": ("T1611", "T1552.001"), "nsa-cisa": ("a/b",), "pss-baseline": ("x",)}
    )
    text = rule(control).help.markdown
    assert text == (
        "Root in a container is root on the node.\n\n"
        "**Fix:** Set securityContext.runAsNonRoot to true.\n\n"
        "**More:** `hardening-gate explain run-as-non-root`\n\n"
        "**References:**\n\n"
        "- [MITRE ATT&amp;CK](https://attack.mitre.org/matrices/enterprise/containers/):"
        " [`T1611`](https://attack.mitre.org/techniques/T1611/),"
        " [`T1552.001`](https://attack.mitre.org/techniques/T1552/001/)\n"
        "- NSA/CISA Hardening Guide: `a/b`\n"
        "- [Pod Security Standards, baseline]"
        "(https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline): `x`"
    )
    hosts = {urlsplit(link).netloc for link in Rendered(text).links}
    assert hosts == {"attack.mitre.org", "kubernetes.io"}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.threat("O1", "O3", "O7")
def test_a_rule_that_repeats_what_a_scanner_says_keeps_within_the_limits_and_means_nothing(attack: str) -> None:
    wide = attack * 3_000
    made = rule(
        replace(CONTROL, id=f"unmapped/x/{wide}", title=wide, why=wide, remedy=wide, compliance={}, unmapped=True)
    )
    assert Rendered(made.help.markdown).led_astray() == []
    assert 0 < len(made.name) <= 255
    assert 0 < len(made.short_description.text) <= 1_024
    assert len(made.full_description.text) <= 1_024


@pytest.mark.threat("O7", "O10")
def test_untrusted_text_holds_no_link_no_control_character_and_no_raw_path() -> None:
    odd = Location(path="a b/\u00e4#?%.yaml", line=3, column=1, precision=Precision.FILE)
    side = audit([resource()], [result(message=HOSTILE, location=odd)], [failure(reason=HOSTILE, remedy=HOSTILE)])
    text = render(side, CONTROLS)
    assert "\\u001b" not in text
    assert "\u202e" not in text
    (got,) = json.loads(text)["runs"]
    assert "](" not in json.dumps([got["results"], got["invocations"]])
    assert "a%20b/%C3%A4%23%3F%25.yaml" in text


@pytest.mark.threat("O5")
def test_more_results_than_code_scanning_keeps_are_cut_with_a_word_about_it() -> None:
    many = [result(fingerprint=f"{n:064x}") for n in range(MOST_RESULTS + 3)]
    got = run(audit([resource()], many))
    assert len(got["results"]) == MOST_RESULTS
    notes = [note["message"]["text"] for note in got["invocations"][0]["toolExecutionNotifications"]]
    assert notes == ["3 results of lower severity are left out: code scanning keeps 5000."]


def test_the_same_audit_gives_the_same_bytes() -> None:
    one = audit([resource()], [result()])
    assert render(one, CONTROLS) == render(replace(one), CONTROLS)
