"""What a fork may write into an audit: refused, or shown without doing anything to a reader."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from controls import catalogue as catalogues
from model.errors import UsageError
from reporting.verdict_line import verdict_line
from tests.reporting.rendered import ATTACKS, Rendered
from tests.threats.program import BAD, gate
from verbs.claims import read_claim
from verbs.outcome import Presentation
from verbs.publish import repeated

CATALOGUE = catalogues.load()
CONFIG = """\
version: 1
exclude: ["left-out/**"]
waivers:
  - {control: host-network, resource: "Pod/*", container: null, reason: reads metrics, owner: "@sre"}
  - {control: privileged-container, resource: "*/*", container: null, reason: reads metrics, owner: "@sre"}
"""
STRINGS = ("\n".join(ATTACKS), " ".join(reversed(ATTACKS)), "\ud800", "a" * 100_000)
NUMBERS = (-1, 0, 10**14, 10**15, 10**4200, 1e300, 1.0, 0.5, float("nan"), float("inf"), True, None, "1")

Steps: TypeAlias = tuple[str | int, ...]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """An audit with something of everything."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "left-out").mkdir()
    for name, text in {
        "web.yaml": BAD,
        "left-out/web.yaml": BAD,
        "broken.yaml": "apiVersion: v1\nkind: Pod\n a: [",
        ".hardening-gate.yaml": CONFIG,
    }.items():
        (tree / name).write_text(text, encoding="utf-8")
    gate("scan", ".", "--root", ".", "--scanners", "native", "--format=json=audit.json", cwd=tree)
    audit: dict[str, Any] = json.loads((tree / "audit.json").read_text(encoding="utf-8"))
    return audit


def leaves(value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """One of each kind."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*steps, key))
    elif isinstance(value, list):
        for number, each in enumerate(value[:2]):
            yield from leaves(each, (*steps, number))
    else:
        yield steps, value


def forged(audit: dict[str, Any], steps: Steps, value: object) -> dict[str, Any]:
    made = copy.deepcopy(audit)
    place: Any = made
    for step in steps[:-1]:
        place = place[step]
    place[steps[-1]] = value
    return made


def shown(folder: Path, claim: dict[str, Any]) -> str | None:
    """The comment; None for what is refused."""
    (folder / "audit.json").write_text(json.dumps(claim), encoding="utf-8")
    try:
        outcome = repeated(read_claim(folder, CATALOGUE), Presentation(job="", run_url="https://host.example/run"))
    except UsageError:
        return None
    assert len(verdict_line(outcome.head, None, outcome.verdict)) < 1000
    return outcome.markdown(65_000)


def test_what_is_honest_is_shown(tmp_path: Path, honest: dict[str, Any]) -> None:
    assert "Container runs privileged" in (shown(tmp_path, honest) or "")


@pytest.mark.threat("O1", "O2", "O3", "P8")
def test_no_string_whatever_its_place_does_anything_to_a_reader(tmp_path: Path, honest: dict[str, Any]) -> None:
    seen = set()
    for steps, old in leaves(honest):
        for attack in STRINGS if isinstance(old, str) or old is None else ():
            text = shown(tmp_path, forged(honest, steps, attack))
            if text is not None and text not in seen:
                seen.add(text)
                text.encode("utf-8")
                page = Rendered(text)
                assert page.led_astray(("https://host.example/",)) == [], steps
                assert "<!--" not in page.html, steps
    assert len(seen) > 50


@pytest.mark.threat("P8", "P11")
def test_no_number_whatever_its_place_ends_in_a_crash(tmp_path: Path, honest: dict[str, Any]) -> None:
    for steps, old in leaves(honest):
        for number in NUMBERS if isinstance(old, int) else ():
            text = shown(tmp_path, forged(honest, steps, number))
            assert text is None or number in {0, 10**14, None}, (steps, number)


@pytest.mark.threat("P11")
@pytest.mark.parametrize(
    "text",
    [
        '"' + '\\"' * 2_000_000,
        '{"a": "' + "[" * 1_000_000,
        "[" + "{}," * 4_000_000 + "{}]",
        "[" * 51 + "]" * 51,
        '{"a": NaN}',
        "[1e5]",
        "[1.0]",
        f"[{'9' * 16}]",
        "]" * 1000 + "[" * 1040,
    ],
    ids=["escapes", "open", "many", "deep", "nan", "exponent", "fraction", "long", "unbalanced"],
)
def test_what_would_take_a_reader_of_json_too_far_is_refused_in_little_time(tmp_path: Path, text: str) -> None:
    (tmp_path / "audit.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError):
        read_claim(tmp_path, CATALOGUE)


@pytest.mark.threat("P11")
def test_what_brackets_and_numbers_a_string_holds_does_not_count(tmp_path: Path, honest: dict[str, Any]) -> None:
    claim = forged(honest, ("failures", 0, "reason"), '\\" [' + "[" * 1000 + f" 1e5 NaN {'9' * 100}")
    assert shown(tmp_path, claim) is not None
