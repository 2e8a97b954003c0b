from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

import settings
from model.errors import UsageError
from model.policy import AllowIncomplete
from settings import CompareSettings, DepsSettings, DoctorSettings, GateOverrides, Report, ScanSettings, parse

HOME = {"HOME": "/home/dev"}


def scan(*words: str, **environment: str) -> ScanSettings:
    wanted = parse(["scan", *words], {**HOME, **environment}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    return wanted


def test_scan_without_options_searches_the_current_folder_with_the_defaults() -> None:
    wanted = scan()
    assert (wanted.paths, wanted.named) == ((Path(),), False)
    assert (wanted.scanners, wanted.policy, wanted.kube_version) == (None, None, settings.KUBE_VERSION)
    assert wanted.gate == GateOverrides()
    assert wanted.home == Path("/home/dev/.cache/hardening-gate")
    assert (wanted.base, wanted.head, wanted.from_event) == (None, "worktree", False)
    assert (wanted.occasion, wanted.token, wanted.use_cache) == (None, "", True)


def test_every_option_of_scan_is_read() -> None:
    wanted = scan(
        *("chart", "k8s", "--root", "/repo", "--base", "origin/main", "--head", "v2", "--scanners", "trivy,native"),
        *(
            "--framework",
            "cis,nsa-cisa",
            "--framework",
            "mitre",
            "--values",
            "chart=a.yaml,b.yaml",
            "--values",
            "chart=c.yaml",
        ),
        *("--set", "chart=image.tag=1,2", "--kube-version", "v1.33.4", "--api-versions", "a/v1,b/v1"),
        *("--release-name", "shop", "--namespace", "prod", "--config", "gate.yaml", "--policy", "base"),
        *("--fail-under", "80", "--fail-under-patch", "90", "--max-drop", "1.5", "--fail-on", "critical"),
        *("--fail-on-new", "none", "--allow-incomplete", "none", "--warn-only", "--format", "json=out.json"),
        *("--format", "sarif", "--output", "reports", "--all-results", "--today", "2030-01-31", "--jobs", "3"),
        *("--timeout", "30", "--timings", "t.json", "--cache", "c", "--no-cache", "--quiet", "--verbose", "--no-color"),
    )
    assert wanted.paths == (Path("chart"), Path("k8s"))
    assert (wanted.base, wanted.head, wanted.policy) == ("origin/main", "v2", "base")
    assert (wanted.cache, wanted.use_cache) == (Path("c"), False)
    assert wanted.scanners == ("native", "trivy")
    assert wanted.frameworks == ("cis", "nsa-cisa", "mitre")
    assert wanted.values == {"chart": (("a.yaml", "b.yaml"), ("c.yaml",))}
    assert wanted.sets == {"chart": ("image.tag=1,2",)}
    assert (wanted.kube_version, wanted.api_versions) == ("1.33", ("a/v1", "b/v1"))
    assert wanted.gate.allow_incomplete is AllowIncomplete.NONE
    assert wanted.reports == (Report(format="json", file=Path("out.json")), Report(format="sarif", file=None))
    assert wanted.today == dt.date(2030, 1, 31)
    assert (wanted.jobs, wanted.timeout, wanted.colour) == (3, 30, False)


def test_allow_incomplete_alone_means_all() -> None:
    assert scan("--allow-incomplete").gate.allow_incomplete is AllowIncomplete.ALL


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no-such-verb"],
        ["scan", "--no-such-option"],
        ["scan", "--scanners", "trivvy"],
        ["scan", "--scanners", ","],
        ["scan", "--format", "pdf"],
        ["scan", "--format", "json="],
        ["scan", "--format", "json", "--format", "sarif"],
        ["scan", "--kube-version", "latest"],
        ["scan", "--values", "values.yaml"],
        ["scan", "--fail-under", "nan"],
        ["scan", "--fail-under", "101"],
        ["scan", "--today", "tomorrow"],
        ["scan", "--jobs", "0"],
        ["scan", "--fail-on", "worst"],
        ["scan", "--base", ""],
        ["scan", "--base", "main\nHEAD"],
        ["scan", "--head", " "],
        ["scan", "--head", "a\0b"],
        ["scan", "--policy", "mine"],
        ["scan", "--token", "x"],
        ["compare", "one.json"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error_with_a_next_step(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, HOME, terminals=(False, False))
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_the_other_verbs_are_read() -> None:
    assert isinstance(parse(["doctor"], HOME, terminals=(False, False)), DoctorSettings)
    compare = parse(["compare", "a.json", "b.json"], HOME, terminals=(False, False))
    assert isinstance(compare, CompareSettings)
    assert (compare.base, compare.head) == (Path("a.json"), Path("b.json"))


def test_deps_has_a_folder_as_base_and_the_policy_of_head_unless_told() -> None:
    wanted = parse(["deps", "--base", "old"], HOME, terminals=(False, False))
    assert isinstance(wanted, DepsSettings)
    assert (wanted.base, wanted.policy) == ("old", "head")


def test_the_version_is_that_of_the_project() -> None:
    assert f'version = "{settings.version()}"' in Path("pyproject.toml").read_text(encoding="utf-8")
