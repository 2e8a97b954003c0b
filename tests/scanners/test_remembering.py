"""A scanner looks once at what is equal and not at all at what is remembered, and nobody can tell from the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cache import Cache
from model.finding import Drop, Finding, Opinion, Scan
from process import Finished, Sandbox
from scanners import kube_score, polaris, remembering, trivy
from scanners.base import ScanContext, Scanner, Scope
from scanners.runs import Judged
from tests.resources import resources
from tests.scanners.fakes import CRASH, WAYS_TO_FAIL, context, fake_toolbox
from toolbox import Toolbox

MIXED = Path("tests/fixtures/scanners/mixed.yaml").read_text(encoding="utf-8")
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: a}]}"
LIMITS = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: small}\nspec: {limits: []}"
EXTERNAL: tuple[Scanner, ...] = (polaris, kube_score, trivy)
each_scanner = pytest.mark.parametrize("scanner", EXTERNAL, ids=lambda module: module.NAME)


def everything(scan: Scan, scopes: Sequence[Scope]) -> list[Any]:
    """An answer, object by object, and what is counted."""
    said = [
        [scan.opinions.get(resource), scan.missing.get(resource)] for scope in scopes for resource in scope.resources
    ]
    return [*said, scan.status, scan.reason, scan.drops, scan.raw_findings, scan.unaccounted]


def read(*texts: str) -> list[Scope]:
    """A scope of each text, of new objects."""
    return [Scope(resources=resources(text)) for text in texts]


def look(scanner: Scanner, toolbox: Toolbox, scopes: Sequence[Scope], cache: Cache | None = None) -> Scan:
    """What the scanner says."""
    with Sandbox() as sandbox:
        return scanner.scan(scopes, replace(context(sandbox, toolbox), cache=cache or Cache()))


def starts(scanner: Scanner, toolbox: Toolbox, scopes: Sequence[Scope], cache: Cache) -> int:
    """How often the scanner is started."""
    started: list[str] = []

    def observe(words: Sequence[str], about: str, finished: Finished) -> None:  # noqa: ARG001 the port's signature
        started.append(words[0])

    with Sandbox(observer=observe) as sandbox:
        scanner.scan(scopes, replace(context(sandbox, toolbox), cache=cache))
    return len(started)


@pytest.mark.tools
@each_scanner
def test_a_run_that_remembers_says_what_a_run_says_that_does_not(
    scanner: Scanner, toolbox: Toolbox, tmp_path: Path
) -> None:
    texts = (MIXED, POD, MIXED.replace("web", "shop"), f"{POD}\n---\n{LIMITS}")
    with Cache(tmp_path / "cache") as cache:
        cold = look(scanner, toolbox, read(*texts), cache)
        assert starts(scanner, toolbox, read(*texts), cache) == 0
    scopes = read(POD.replace("image: a", "image: b"), *texts)
    with Cache(tmp_path / "cache") as cache:
        warm = look(scanner, toolbox, scopes, cache)
        assert cache.tally.remembered > 0
    new = look(scanner, toolbox, scopes)
    assert everything(warm, scopes) == everything(new, scopes)
    assert cold.unaccounted == warm.unaccounted == 0


@pytest.mark.tools
@each_scanner
def test_entries_that_are_damaged_change_nothing_but_the_time(
    scanner: Scanner, toolbox: Toolbox, tmp_path: Path
) -> None:
    scopes = read(MIXED, POD)
    with Cache(tmp_path / "cache") as cache:
        cold = look(scanner, toolbox, scopes, cache)
    for number, file in enumerate(sorted((tmp_path / "cache").iterdir())):
        if number % 2 == 0:
            file.write_bytes(file.read_bytes()[: -1 - number])
    with Cache(tmp_path / "cache") as cache:
        again = look(scanner, toolbox, scopes, cache)
        assert cache.tally.unusable > 0
        assert starts(scanner, toolbox, scopes, cache) == 0
    assert everything(again, scopes) == everything(cold, scopes)


@pytest.mark.tools
@each_scanner
def test_equal_scopes_are_looked_at_once_and_all_get_the_answer(scanner: Scanner, toolbox: Toolbox) -> None:
    scopes = read(MIXED, MIXED)
    both = look(scanner, toolbox, scopes)
    alone = look(scanner, toolbox, scopes[:1])
    head, base = (everything(both, [scope])[:-5] for scope in scopes)
    assert head == base == everything(alone, scopes[:1])[:-5]
    assert both.raw_findings == 2 * alone.raw_findings
    assert both.unaccounted == 0


@pytest.mark.tools
@each_scanner
def test_the_order_of_objects_and_of_their_keys_is_no_difference(scanner: Scanner, toolbox: Toolbox) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    objects = resources(MIXED)
    others = tuple(replace(each, value=turned(dict(each.value))) for each in reversed(resources(MIXED)))
    assert {each.digest for each in objects} == {each.digest for each in others}
    one = look(scanner, toolbox, [Scope(resources=objects)])
    cache = Cache()
    other = look(scanner, toolbox, [Scope(resources=others)], cache)
    assert starts(scanner, toolbox, [Scope(resources=objects)], cache) == 0
    for mine, theirs in zip(objects, reversed(others), strict=True):
        assert one.opinions.get(mine) == other.opinions.get(theirs)


@pytest.mark.tools
def test_how_many_run_at_a_time_changes_nothing(sandbox: Sandbox, toolbox: Toolbox) -> None:
    many = "\n---\n".join([LIMITS, *(POD.replace("web", f"web-{number}") for number in range(90))])
    scopes = read(many, MIXED)
    answers = []
    for jobs in (1, 4):
        scan = trivy.scan(scopes, replace(context(sandbox, toolbox), jobs=jobs))
        answers.append(everything(scan, scopes))
    assert answers[0] == answers[1]


@pytest.mark.tools
def test_a_check_that_another_object_of_the_run_chose_is_no_finding_of_this_one(toolbox: Toolbox) -> None:
    scopes = read(POD, LIMITS)
    together = look(trivy, toolbox, scopes)
    alone = look(trivy, toolbox, scopes[:1])
    (pod,) = scopes[0].resources
    assert together.opinions[pod] == alone.opinions[pod]
    assert not together.opinions[pod].drops


@each_scanner
@pytest.mark.parametrize("script", WAYS_TO_FAIL, ids=lambda script: script[:12])
def test_no_failure_is_remembered(scanner: Scanner, script: str, tmp_path: Path, sandbox: Sandbox) -> None:
    around = replace(context(sandbox, fake_toolbox(tmp_path, scanner.NAME, script), timeout=1))
    with Cache(tmp_path / "cache") as cache:
        scan = scanner.scan(read(POD), replace(around, cache=cache))
    assert scan.missing
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.tools
@pytest.mark.parametrize("scanner", [polaris, kube_score], ids=lambda module: module.NAME)
def test_of_a_scope_with_a_missing_object_nothing_is_remembered_and_of_its_neighbours_all(
    scanner: Scanner, toolbox: Toolbox
) -> None:
    broken = f"{POD}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{ports: nonsense}}"
    broken += "\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x}\nspec: nonsense"
    cache = Cache()
    scan = look(scanner, toolbox, read(POD, broken), cache)
    assert scan.missing
    assert starts(scanner, toolbox, read(POD), cache) == 0
    assert starts(scanner, toolbox, read(broken), cache) > 0


STRANGER = {
    "polaris": '{"Results": [{"Name": "web", "Namespace": "", "Kind": "Pod", "PodResult": null, "Results": {}},'
    '{"Name": "y", "Namespace": "", "Kind": "Pod", "PodResult": null, "Results": {"r": '
    '{"Success": false, "Message": "m", "Severity": "danger"}}}]}',
    "kube-score": '[{"type_meta": {"kind": "Pod"}, "object_meta": {"name": "web"}, "checks": []},'
    '{"type_meta": {"kind": "Pod"}, "object_meta": {"name": "y"}, "checks": '
    '[{"check": {"id": "r"}, "grade": 1, "skipped": false, "comments": null}]}]',
    "trivy": '{"Results": [{"Target": "o000001.yaml"}, {"Target": "y.yaml", "Misconfigurations": [{"ID": "r", '
    '"Status": "FAIL", "CauseMetadata": {}, "Message": "", "Title": "", "Severity": ""}]}]}',
}


@each_scanner
def test_a_start_that_names_strangers_is_not_remembered(scanner: Scanner, tmp_path: Path) -> None:
    toolbox = fake_toolbox(tmp_path, scanner.NAME, f"echo '{STRANGER[scanner.NAME]}'")
    cache = Cache()
    for _ in range(2):
        scan = look(scanner, toolbox, read(POD), cache)
        assert (len(scan.opinions), len(scan.drops), scan.unaccounted) == (1, 1, 0)
    assert cache.tally.remembered == 0


SILENT = {
    "an unexpected crash": ("checks/other.rego", POD),
    "one beside the known one": (
        "checks/other.rego",
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "password=a:b"}',
    ),
    "the known one": (
        "checks/kubernetes/configMap_with_secrets.rego",
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: "password=a:b"}',
    ),
}


@pytest.mark.parametrize("case", SILENT)
def test_an_object_about_which_a_check_was_silent_is_not_remembered(case: str, tmp_path: Path) -> None:
    file, text = SILENT[case]
    log = f"echo 'ERROR {trivy.CRASHED} rule=deny file_path=\"{file}\"' >&2"
    toolbox = fake_toolbox(tmp_path, "trivy", f'{log}; echo \'{{"Results": [{{"Target": "o000001.yaml"}}]}}\'')
    cache = Cache()
    scan = look(trivy, toolbox, read(text), cache)
    assert len(scan.opinions) == 1
    assert starts(trivy, toolbox, read(text), cache) == (0 if case == "the known one" else 1)


@pytest.mark.threat("S8")
def test_a_log_too_long_to_be_kept_hides_no_crash(tmp_path: Path) -> None:
    report = '{"Results": [{"Target": "o000001.yaml"}]}'
    log = (
        "i=0; while [ $i -lt 2500 ]; do echo 'WARN a line of the log that an object makes longer' >&2; i=$((i+1)); done"
    )
    toolbox = fake_toolbox(tmp_path, "trivy", f"{log}; echo '{report}'")
    cache = Cache()
    assert len(look(trivy, toolbox, read(POD), cache).opinions) == 1
    assert starts(trivy, toolbox, read(POD), cache) == 1


@each_scanner
def test_nothing_is_remembered_under_other_terms(
    scanner: Scanner, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def keys(around: ScanContext, *texts: str) -> set[str]:
        scopes = read(*texts)
        command = ("score", around.kube_version)
        pieces = remembering.pieces_of(scanner.NAME, around, command, __file__, [scope.resources for scope in scopes])
        return {piece.key.digest for piece in pieces}

    around = context(sandbox, fake_toolbox(tmp_path, scanner.NAME, CRASH))
    found = keys(around, POD)
    assert found == keys(around, POD, POD)
    other_version = fake_toolbox(tmp_path, scanner.NAME, CRASH)
    monkeypatch.setattr(other_version, "_pins", {scanner.NAME: replace(other_version.pin(scanner.NAME), version="2")})
    assert not found & keys(replace(around, kube_version="1.35"), POD)
    assert not found & keys(replace(around, toolbox=other_version), POD)
    assert not found & keys(around, POD.replace("image: a", "image: b"), f"{POD}\n---\n{LIMITS}")
    monkeypatch.setattr(remembering, "source_digest", lambda *_: "another adapter")
    assert not found & keys(around, POD)


def test_an_opinion_comes_back_as_it_was() -> None:
    judged = Judged(
        raw_findings=5,
        opinion=Opinion(
            findings=(Finding(rule="r", container="app", message="\udc80 ü", severity="high"),),
            passed={"": frozenset({"a", "b"}), "app": frozenset({"a", "b"}), "side": frozenset()},
            drops=(Drop(scanner="polaris", rule="x", reason="y", count=4),),
        ),
    )
    (again,) = remembering._decoded("polaris", remembering._encoded([judged]), {})
    assert (again.raw_findings, again.opinion, again.whole) == (5, judged.opinion, True)
    assert list(again.opinion.passed) == list(judged.opinion.passed)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"null", b"[1]", b"[[]]", b"[[1,[],[],[],{},1]]", b'[[1,[],[],[],{"a":7}]]', b"[[1,[1],[],[],{}]]"],
)
def test_what_has_another_shape_is_no_opinion(data: bytes) -> None:
    assert remembering._decoded("polaris", data, {}) == ()


@pytest.mark.tools
@pytest.mark.threat("O9")
def test_no_value_of_a_manifest_is_kept(toolbox: Toolbox, tmp_path: Path) -> None:
    secret = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - name: app
    image: a
    env: [{name: PASSWORD, value: c4n4ry}]
    securityContext: {capabilities: {add: [SYS_MODULE]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
data: {a: "password: c4n4ry"}
"""
    with Cache(tmp_path / "cache") as cache:
        for scanner in EXTERNAL:
            look(scanner, toolbox, read(secret), cache)
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 4
    assert not [file for file in files if b"c4n4ry" in file.read_bytes()]
