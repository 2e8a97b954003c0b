from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import yaml

import settings
from model.errors import UsageError
from model.policy import AllowIncomplete
from settings import INPUTS, CompareSettings, DoctorSettings, GateOverrides, Report, ScanSettings, parse

HOME = {"HOME": "/home/dev"}


def scan(*words: str, **environment: str) -> ScanSettings:
    wanted = parse(["scan", *words], {**HOME, **environment}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    return wanted


def test_scan_without_options_searches_the_current_folder_with_the_defaults() -> None:
    wanted = scan()
    assert (wanted.paths, wanted.named) == ((Path(),), False)
    assert (wanted.scanners, wanted.policy, wanted.kube_version) == (None, "head", settings.KUBE_VERSION)
    assert wanted.gate == GateOverrides()
    assert wanted.home == Path("/home/dev/.cache/hardening-gate")


def test_every_option_of_scan_is_read() -> None:
    wanted = scan(
        *("chart", "k8s", "--root", "/repo", "--base", "/base", "--scanners", "trivy,native"),
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
        *("--timeout", "30", "--timings", "t.json", "--quiet", "--verbose", "--no-color"),
    )
    assert wanted.paths == (Path("chart"), Path("k8s"))
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
    ("environment", "home"),
    [
        ({"HARDENING_GATE_HOME": "/opt/gate", "XDG_CACHE_HOME": "/x"}, "/opt/gate"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/hardening-gate"),
        ({"XDG_CACHE_HOME": ""}, "/home/dev/.cache/hardening-gate"),
    ],
)
def test_the_tools_lie_where_the_environment_says(environment: dict[str, str], home: str) -> None:
    assert scan(**environment).home == Path(home)


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
        ["compare", "one.json"],
    ],
)
def test_what_makes_no_sense_is_a_usage_error_with_a_next_step(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words, HOME, terminals=(False, False))
    assert caught.value.exit_code == 2
    assert caught.value.remedy


def test_colour_needs_a_terminal_and_obeys_no_color() -> None:
    def colour(*words: str, terminals: tuple[bool, bool] = (True, True), **environment: str) -> bool:
        return parse(["doctor", *words], {**HOME, **environment}, terminals=terminals).colour

    assert colour()
    assert not colour(terminals=(False, True))
    assert not colour("--no-color")
    assert not colour(NO_COLOR="1")
    assert not colour(TERM="dumb")


def test_the_other_verbs_are_read() -> None:
    assert isinstance(parse(["doctor"], HOME, terminals=(False, False)), DoctorSettings)
    compare = parse(["compare", "a.json", "b.json"], HOME, terminals=(False, False))
    assert isinstance(compare, CompareSettings)
    assert (compare.base, compare.head) == (Path("a.json"), Path("b.json"))


def test_the_action_turns_its_inputs_into_the_options_of_scan() -> None:
    inputs = {
        "INPUT_PATHS": "charts/web\ncharts/with space",
        "INPUT_VALUES": "charts/web=a.yaml\ncharts/web=b.yaml\n",
        "INPUT_FAIL-UNDER": "80",
        "INPUT_ALLOW-INCOMPLETE": "all",
        "INPUT_WARN-ONLY": "true",
        "INPUT_ALL-RESULTS": "false",
        "INPUT_OUTPUT": "-reports",
    }
    wanted = parse(["action"], {**HOME, **inputs}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    assert wanted.paths == (Path("charts/web"), Path("charts/with space"))
    assert wanted.values == {"charts/web": (("a.yaml",), ("b.yaml",))}
    assert (wanted.gate.fail_under, wanted.gate.allow_incomplete, wanted.warn_only) == (80, AllowIncomplete.ALL, True)
    assert wanted.all_results is False
    assert wanted.output == Path("-reports")


def test_a_path_that_looks_like_an_option_stays_a_path() -> None:
    wanted = parse(["action"], {**HOME, "INPUT_PATHS": "--output=/etc"}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    assert wanted.paths == (Path("--output=/etc"),)
    assert wanted.output is None


def test_an_input_that_is_neither_true_nor_false_is_refused() -> None:
    with pytest.raises(UsageError, match="warn-only"):
        parse(["action"], {**HOME, "INPUT_WARN-ONLY": "maybe"}, terminals=(False, False))


def test_action_yml_declares_exactly_the_inputs_that_are_read() -> None:
    declared: dict[str, Any] = yaml.safe_load(Path("action.yml").read_text(encoding="utf-8"))
    assert set(declared["inputs"]) == set(INPUTS)
