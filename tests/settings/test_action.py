from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import UsageError
from model.policy import AllowIncomplete
from settings import ScanSettings, parse
from tests.github.runner import HEAD, variables

HOME = {"HOME": "/home/dev"}
TOKEN = "ghs_c4n4ry"


def action(**inputs: str) -> ScanSettings:
    """The settings of a step with these inputs and variables; underscores of inputs stand for hyphens."""
    named = {name.replace("_", "-").replace("INPUT-", "INPUT_"): value for name, value in inputs.items()}
    wanted = parse(["action"], {**HOME, **named}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    return wanted


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


def test_the_action_audits_what_git_has_checked_out_and_lets_the_event_decide_the_rest() -> None:
    wanted = action()
    assert (wanted.from_event, wanted.head, wanted.base, wanted.policy) == (True, "HEAD", None, None)
    named = action(INPUT_HEAD="worktree", INPUT_BASE="v1", INPUT_POLICY="head", INPUT_CACHE="/github/home/gate")
    assert (named.head, named.base, named.policy, named.cache) == ("worktree", "v1", "head", Path("/github/home/gate"))


def test_the_token_comes_from_its_input_only_and_is_never_shown() -> None:
    wanted = action(INPUT_TOKEN=TOKEN)
    assert wanted.token == TOKEN
    assert TOKEN not in repr(wanted)
    assert action(GITHUB_TOKEN=TOKEN).token == ""
    plain = parse(["scan"], {**HOME, "INPUT_TOKEN": TOKEN, "GITHUB_TOKEN": TOKEN}, terminals=(False, False))
    assert isinstance(plain, ScanSettings)
    assert plain.token == ""


@pytest.mark.parametrize("token", [f"{TOKEN}\nX-Header: 1", f"{TOKEN} x", f"{TOKEN}\0", "\u00fc"])
def test_a_token_that_would_be_more_than_one_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(UsageError) as caught:
        action(INPUT_TOKEN=token)
    assert TOKEN not in f"{caught.value.message} {caught.value.remedy}"


def test_a_password_of_a_proxy_is_never_shown() -> None:
    assert TOKEN not in repr(action(HTTPS_PROXY=f"http://user:{TOKEN}@proxy.test"))


@pytest.mark.parametrize("verb", ["action", "scan"])
def test_both_know_the_event_but_only_the_action_goes_by_it(verb: str) -> None:
    wanted = parse([verb], {**HOME, **variables("pull_request")}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    assert wanted.occasion
    assert wanted.occasion.pull_request
    assert wanted.occasion.pull_request.head_sha == HEAD
    assert wanted.from_event is (verb == "action")
    assert (wanted.base, wanted.policy) == (None, None)


@pytest.mark.threat("P8")
@pytest.mark.parametrize("verb", ["action", "scan"])
def test_pull_request_target_is_refused_before_anything_is_read(verb: str) -> None:
    with pytest.raises(UsageError, match="pull_request_target"):
        parse([verb], {**HOME, **variables("pull_request_target")}, terminals=(False, False))


def test_other_verbs_do_not_ask_for_the_event() -> None:
    broken = {**HOME, "GITHUB_EVENT_NAME": "push"}
    assert parse(["doctor"], broken, terminals=(False, False))
    with pytest.raises(UsageError, match="GITHUB_EVENT"):
        parse(["scan"], broken, terminals=(False, False))
