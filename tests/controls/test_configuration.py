from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from controls.configuration import Configuration
from model.control import Severity
from model.errors import UsageError
from model.policy import AllowIncomplete, BreakGlass, PathGate, Policy, UnusedWaivers
from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry
from model.values import Mark

CONTROLS = ("host-network", "image-pull-policy", "image-tag")
MARKS = Mark(1, 1, 1, 1, {"gate": Mark(3, 1, 3, 7, {"fail_undr": Mark(4, 3, 4, 14, None)})})


def configuration(value: Any) -> Configuration:
    return Configuration(".hardening-gate.yaml", value, MARKS)


def read(value: Any) -> Policy:
    return configuration(value).policy(CONTROLS)


def test_an_empty_configuration_is_the_default_policy() -> None:
    assert read({"version": 1}) == Policy()


def test_every_key_reaches_the_policy() -> None:
    policy = read(
        {
            "version": 1,
            "exclude": ["**/testdata/**"],
            "scanners": ["native", "trivy", "native"],
            "gate": {
                "fail_under": 80,
                "fail_under_patch": 90.5,
                "max_drop": 1,
                "fail_on": "critical",
                "fail_on_new": "none",
                "allow_incomplete": "none",
            },
            "controls": {"image-pull-policy": False, "image-tag": "off", "host-network": "critical"},
            "frameworks": ["pss-restricted", "cis-1.12"],
            "waivers": [
                {
                    "control": "host-network",
                    "resource": "DaemonSet/kube-system/node-exporter",
                    "container": None,
                    "reason": "reads host metrics",
                    "owner": "@sre",
                    "expires": "2027-01-31",
                }
            ],
        }
    )
    assert (policy.gate.fail_under, policy.gate.fail_under_patch, policy.gate.max_drop) == (80, 90.5, 1)
    assert (policy.gate.fail_on, policy.gate.fail_on_new) == (Severity.CRITICAL, None)
    assert policy.gate.allow_incomplete is AllowIncomplete.NONE
    assert policy.off == {"image-pull-policy", "image-tag"}
    assert policy.severities == {"host-network": Severity.CRITICAL}
    assert policy.scanners == ("native", "trivy")
    assert policy.frameworks == ("pss-restricted", "cis-1.12")
    assert policy.exclude == ("**/testdata/**",)
    assert policy.waivers[0].expires == dt.date(2027, 1, 31)


def test_an_unknown_key_is_an_error_with_line_and_the_nearest_known_one() -> None:
    with pytest.raises(UsageError) as caught:
        read({"version": 1, "gate": {"fail_undr": 80}})
    assert caught.value.message == ".hardening-gate.yaml:4: unknown key 'fail_undr' at gate.fail_undr"
    assert caught.value.remedy == "Did you mean 'fail_under'?"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "not of type 'object'"),
        (None, "not of type 'object'"),
        ({}, "'version' is a required property"),
        ({"version": 2}, "1 was expected"),
        ({"version": 1, "gate": {"fail_under": 101}}, "101 is greater than the maximum"),
        ({"version": 1, "gate": {"fail_on": "hihg"}}, "'hihg' is not one of"),
        ({"version": 1, "controls": {"no-such": "off"}}, "there is no control 'no-such'"),
        ({"version": 1, "waivers": [{"control": "image-tag", "owner": "@me"}]}, "'reason' is a required property"),
        (
            {"version": 1, "waivers": [{"control": "image-tg", "owner": "@me", "reason": "x"}]},
            "there is no control 'image-tg'",
        ),
        (
            {
                "version": 1,
                "waivers": [{"control": "image-tag", "owner": "@me", "reason": "x", "expires": "2027-02-31"}],
            },
            "'2027-02-31' is no day",
        ),
        ({"version": 1, "frameworks": ["cies"]}, "there is no framework 'cies'"),
        ({"version": 1, "scanners": ["trivvy"]}, "'trivvy' is not one of"),
        ({"version": 1, "break_glass": {"teams": ["a/b"]}}, "'label' is a required property"),
        ({"version": 1, "break_glass": {"label": " "}}, "does not match"),
        ({"version": 1, "break_glass": {"label": "x", "teams": []}}, "break_glass.teams"),
        ({"version": 1, "break_glass": {"label": "x", "teams": ["sre"]}}, "does not match"),
        ({"version": 1, 7: 1}, "unknown key"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(value)
    assert reason in caught.value.message
    assert caught.value.remedy


def test_sources_name_charts_with_their_environments_kustomizations_and_manifests() -> None:
    rows = [
        {"chart": "charts/web/", "environments": {"prod": ["values-prod.yaml"]}, "kube_version": "1.33"},
        {"chart": "./charts/db"},
        {"kustomize": "overlays/prod"},
        {"manifests": "deploy/"},
    ]
    assert configuration({"version": 1, "sources": rows}).sources() == (
        ChartEntry(
            path="charts/web",
            environments=(Environment(name="prod", files=("values-prod.yaml",)),),
            kube_version="1.33",
        ),
        ChartEntry(path="charts/db"),
        KustomizeEntry(path="overlays/prod"),
        ManifestsEntry(path="deploy"),
    )


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"chart": "a", "kustomize": "b"},
        {"kustomize": "b", "environments": {"prod": ["x.yaml"]}},
        {"chart": "a", "environments": {}},
        {"chart": "a", "environments": {"prod ?": ["x.yaml"]}},
        {"chart": "a", "kube_version": 1.33},
        {"chart": "a\0"},
    ],
)
def test_a_source_that_is_no_source_is_refused(row: Any) -> None:
    with pytest.raises(UsageError):
        configuration({"version": 1, "sources": [row]}).sources()


def test_gates_of_paths_unused_waivers_and_repositories_are_read() -> None:
    policy = read(
        {
            "version": 1,
            "gates": [{"paths": ["charts/payments/**"], "fail_under": 95, "fail_on_new": "low"}],
            "unused_waivers": "block",
            "deps": {"allow": ["https://charts.example.com/stable"]},
        }
    )
    assert policy.gates == (PathGate(paths=("charts/payments/**",), fail_under=95, fail_on_new=Severity.LOW),)
    assert policy.unused_waivers is UnusedWaivers.BLOCK
    assert policy.chart_repositories == ("https://charts.example.com/stable",)


def test_the_way_out_in_an_emergency_names_a_label_and_teams() -> None:
    assert read({"version": 1}).break_glass is None
    assert read({"version": 1, "break_glass": {"label": "break-glass"}}).break_glass == BreakGlass(label="break-glass")
    row = {"label": "fire", "teams": ["@our-org/sre", "our-org/sre", "our-org/ops"]}
    assert read({"version": 1, "break_glass": row}).break_glass == BreakGlass(
        label="fire", teams=("our-org/sre", "our-org/ops")
    )
