from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from controls.fingerprint import Fingerprints
from model.audit import Audit, Coverage, NotJudged, ResultStatus
from model.errors import UsageError
from model.finding import Drop
from model.policy import Waiver
from model.resource import Excluded, Note
from reporting import audit_json
from tests.audits import MANIFESTS, audit, failure, resource, result

SCHEMA = json.loads(Path("reporting/audit.schema.json").read_bytes())
DIGEST = "sha256:" + "0" * 64


def full() -> Audit:
    """One of everything."""
    web = resource(digest=DIGEST, earned=2, possible=2)
    waiver = Waiver(control="image-tag", resource="*/web", reason="until v2", owner="@sre", expires=dt.date(2030, 1, 1))
    identity = Fingerprints(MANIFESTS, web.ref).of("image-tag", "app", ())
    waived = result("image-tag", web, status=ResultStatus.WAIVED, waiver=waiver, fingerprint=identity)
    return audit(
        [web],
        [waived],
        [failure("bro\ufffdken.yaml", line=3)],
        catalogue=DIGEST,
        policy=DIGEST,
        unused_waivers=(waiver,),
        coverage=Coverage(
            files=2,
            documents=2,
            resources=1,
            excluded=(Excluded(path="testdata", pattern="**/testdata/**"),),
            not_judged=(NotJudged(resource="*", container=None, control="rbac-wildcard", reason="nobody"),),
            notes=(Note(path="values.yaml", line=None, reason="no manifest"),),
            drops=(Drop(scanner="trivy", rule="KSV-0022", reason="allowed", count=2),),
        ),
    )


def test_an_audit_survives_the_round_trip() -> None:
    assert audit_json.load(audit_json.dump(full()), "audit.json") == full()


def test_what_is_written_satisfies_the_published_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(audit_json.dump(full())))


def test_the_same_audit_gives_the_same_bytes() -> None:
    assert audit_json.dump(full()) == audit_json.dump(full())


def test_an_audit_that_refers_to_what_is_not_in_it_is_refused() -> None:
    web = resource(digest=DIGEST, earned=2, possible=2)
    digests: dict[str, Any] = {"catalogue": DIGEST, "policy": DIGEST}
    assert audit_json.load(audit_json.dump(audit([web], **digests)), "whole.json")
    for broken in (
        audit(results=[result(fingerprint="0" * 64)], **digests),
        audit([replace(web, source="nowhere")], **digests),
        audit([web, web], **digests),
    ):
        with pytest.raises(UsageError, match="is no audit"):
            audit_json.load(audit_json.dump(broken), "broken.json")


def test_an_audit_whose_findings_were_taken_out_does_not_fit_its_score() -> None:
    emptied = audit([resource(digest=DIGEST, earned=1, possible=9)], catalogue=DIGEST, policy=DIGEST)
    with pytest.raises(UsageError, match="does not fit its results"):
        audit_json.load(audit_json.dump(emptied), "emptied.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": "hardening-gate/audit/1"}',
        '{"schema": "hardening-gate/audit/9"}',
        "null",
        "[" * 10_000,
    ],
)
def test_anything_else_is_refused_with_the_name_of_the_file(text: str) -> None:
    with pytest.raises(UsageError, match=r"broken\.json"):
        audit_json.load(text, "broken.json")
