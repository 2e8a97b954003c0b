"""What one policy changes in another is told key by key, and what demands less is told apart."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from controls import catalogue
from controls.policy_changes import policy_changes, source_changes
from model.control import Severity
from model.policy import AllowIncomplete, BreakGlass, Gate, PathGate, Policy, UnusedWaivers, Waiver
from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry

KNOWN = catalogue.load().controls


def changes(before: Policy, after: Policy) -> list[tuple[str, str, str, bool]]:
    return [(row.key, row.before, row.after, row.weakens) for row in policy_changes(before, after, KNOWN)]


def gated(**gate: object) -> Policy:
    return Policy(gate=Gate(**gate))  # type: ignore[arg-type]


def test_the_same_policy_changes_nothing() -> None:
    assert changes(gated(fail_under=80), gated(fail_under=80)) == []


@pytest.mark.parametrize(
    ("before", "after", "row"),
    [
        ({"fail_under": 80}, {"fail_under": 0}, ("gate.fail_under", "80", "0", True)),
        ({}, {"fail_under": 80}, ("gate.fail_under", "", "80", False)),
        ({"fail_under_patch": 80}, {}, ("gate.fail_under_patch", "80", "", True)),
        ({"max_drop": 1}, {}, ("gate.max_drop", "1", "", True)),
        ({"max_drop": 1}, {"max_drop": 0}, ("gate.max_drop", "1", "0", False)),
        ({}, {"fail_on_new": Severity.CRITICAL}, ("gate.fail_on_new", "high", "critical", True)),
        ({}, {"fail_on_new": Severity.LOW}, ("gate.fail_on_new", "high", "low", False)),
        ({"fail_on": Severity.LOW}, {}, ("gate.fail_on", "low", "", True)),
        ({}, {"allow_incomplete": AllowIncomplete.ALL}, ("gate.allow_incomplete", "existing", "all", True)),
        ({}, {"allow_incomplete": AllowIncomplete.NONE}, ("gate.allow_incomplete", "existing", "none", False)),
    ],
)
def test_a_threshold_weakens_where_it_lets_more_pass(
    before: dict[str, object], after: dict[str, object], row: tuple[str, str, str, bool]
) -> None:
    assert changes(gated(**before), gated(**after)) == [row]


def test_gates_by_path_belong_together_by_their_paths() -> None:
    strict = PathGate(paths=("charts/pay/**",), fail_under=95)
    other = PathGate(paths=("charts/web/**",), fail_on=Severity.HIGH)
    assert changes(Policy(gates=(strict,)), Policy(gates=(other,))) == [
        ("gates[charts/pay/**].fail_under", "95", "", True),
        ("gates[charts/web/**].fail_on", "", "high", False),
    ]


def test_a_control_weakens_by_its_severity_in_the_catalogue() -> None:
    severity = KNOWN["host-network"].severity
    assert severity is Severity.HIGH
    off = Policy(off=frozenset({"host-network"}))
    assert changes(Policy(), off) == [("controls.host-network", "high", "off", True)]
    assert changes(off, Policy()) == [("controls.host-network", "off", "high", False)]
    worse = Policy(severities={"host-network": Severity.CRITICAL})
    assert changes(Policy(), worse) == [("controls.host-network", "high", "critical", False)]
    assert changes(worse, Policy(severities={"host-network": Severity.LOW})) == [
        ("controls.host-network", "critical", "low", True)
    ]


def test_a_waiver_is_told_with_its_reason_and_one_that_is_renewed_goes_and_comes() -> None:
    waiver = Waiver(
        control="host-network",
        resource="DaemonSet/kube-system/node-exporter",
        reason="reads host metrics",
        owner="@sre",
        expires=dt.date(2027, 1, 31),
    )
    words = "host-network on DaemonSet/kube-system/node-exporter, until 2027-01-31, owner @sre: reads host metrics"
    assert changes(Policy(), Policy(waivers=(waiver,))) == [("waivers", "", words, True)]
    assert changes(Policy(waivers=(waiver,)), Policy()) == [("waivers", words, "", False)]
    whole = Waiver(control="host-pid", resource="", container="a", path="x/**", reason="r", owner="o")
    assert changes(Policy(), Policy(waivers=(whole,)))[0][2] == (
        "host-pid on every resource, container a, under x/**, for ever, owner o: r"
    )


def test_lists_are_told_entry_by_entry() -> None:
    before = Policy(exclude=("a/**",), scanners=("native", "trivy"), chart_repositories=("https://a.example/",))
    after = Policy(exclude=("b/**",), scanners=("native",), unused_waivers=UnusedWaivers.BLOCK)
    assert changes(before, after) == [
        ("unused_waivers", "warn", "block", False),
        ("exclude", "a/**", "", False),
        ("exclude", "", "b/**", True),
        ("scanners", "trivy", "", True),
        ("deps.allow", "https://a.example/", "", False),
    ]


@pytest.mark.parametrize(
    ("before", "after", "weakens"),
    [
        ((), ("cis",), True),
        (("cis",), (), False),
        (("cis",), ("cis", "mitre"), False),
        (("cis", "mitre"), ("cis",), True),
    ],
)
def test_frameworks_narrow_what_counts(before: tuple[str, ...], after: tuple[str, ...], weakens: bool) -> None:  # noqa: FBT001 a row
    rows = changes(Policy(frameworks=before), Policy(frameworks=after))
    assert [row[3] for row in rows] == [weakens]


@pytest.mark.threat("S5")
def test_a_label_for_emergencies_is_told_whatever_changes_about_it() -> None:
    anybody, team = BreakGlass(label="go"), BreakGlass(label="go", teams=("sre",))
    words = ("the label go, set by anybody", "the label go, set by sre")
    assert changes(Policy(), Policy(break_glass=anybody)) == [("break_glass", "", words[0], True)]
    assert changes(Policy(break_glass=anybody), Policy(break_glass=team)) == [("break_glass", *words, True)]
    assert changes(Policy(break_glass=team), Policy()) == [("break_glass", words[1], "", False)]


@pytest.mark.threat("S5")
def test_of_two_gates_for_the_same_paths_each_is_told() -> None:
    one, other = PathGate(paths=("a/**",), fail_under=95), PathGate(paths=("a/**",), max_drop=1)
    assert changes(Policy(gates=(one, other)), Policy(gates=(one,))) == [("gates[a/**].max_drop", "1", "", True)]


@pytest.mark.threat("S5")
def test_exceptions_to_exclusions_and_their_order_count() -> None:
    plain, taken_back = ("a/**",), ("a/**", "!a/b.yaml")
    assert changes(Policy(exclude=taken_back), Policy(exclude=plain)) == [("exclude", "!a/b.yaml", "", True)]
    assert changes(Policy(exclude=plain), Policy(exclude=taken_back)) == [("exclude", "", "!a/b.yaml", False)]
    turned = changes(Policy(exclude=taken_back), Policy(exclude=taken_back[::-1]))
    assert turned == [("exclude", "a/**, !a/b.yaml", "!a/b.yaml, a/**", True)]


@pytest.mark.threat("S5")
def test_what_the_list_of_sources_loses_or_renames_is_told() -> None:
    prod = ChartEntry(path="web", environments=(Environment(name="prod", files=("a.yaml", "b.yaml")),))
    decoy = replace(prod, environments=(Environment(name="prod", files=("c.yaml",)),), kube_version="1.29")
    rows = source_changes((prod, KustomizeEntry(path="k")), (decoy, ManifestsEntry(path="m")))
    assert [(row.before, row.after, row.weakens) for row in rows] == [
        ("chart web; prod: a.yaml, b.yaml", "", True),
        ("kustomization k", "", True),
        ("", "chart web; prod: c.yaml; for Kubernetes 1.29", False),
        ("", "manifests m", False),
    ]
