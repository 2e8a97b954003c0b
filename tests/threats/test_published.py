"""What of a hostile pull request reaches GitHub and the files of the runner, by way of all that is published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.github.runner import payload
from tests.publishing.server import TOKEN, GitHub, serve
from tests.reporting.rendered import Rendered
from tests.reporting.runner import commands
from tests.reporting.test_outputs import runner_reads
from tests.revisions.workshop import Workshop
from tests.threats.program import CANARY, POD, ROOT, Run, write
from tests.threats.test_output import CONTROLS, SECRETS, hostile
from tests.verbs.test_action import Shop, act, checkout

LINKS = tuple(f"https://github.test/our-org/shop/{page}/" for page in ("blob", "actions/runs"))
FILES = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What came of a step."""

    run: Run
    hub: GitHub
    folder: Path
    head: str

    def file(self, name: str) -> str:
        """What the step has written into a file of the runner."""
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def comment(self) -> tuple[str, str]:
        """The marker of the only comment, and its text."""
        [body] = self.hub.bodies()
        marker, _, text = body.partition("\n")
        return marker, text


def propose(origin: Workshop, files: Path) -> Shop:
    """What lies in ``files`` as a pull request."""
    main = origin.commit({"deploy/web.yaml": POD})
    origin.git("checkout", "--quiet", "-b", "feature")
    for path in sorted(files.rglob("*")):
        if path.is_file():
            origin.write({str(path.relative_to(files)): path.read_bytes()})
    head = origin.commit()
    origin.git("checkout", "--quiet", "--detach", "main")
    origin.git("merge", "--quiet", "--no-ff", "--message=merge", "feature")
    return Shop(origin=origin, start=main, main=main, head=head, merge=origin.git("rev-parse", "HEAD"))


def started(folder: Path, hub: GitHub, files: Path) -> Job:
    """The action on a pull request that adds ``files``."""
    origin = Workshop(folder / "origin", "--initial-branch=main")
    origin.git("config", "uploadpack.allowAnySHA1InWant", "true")
    proposal = propose(origin, files)
    hub.head = proposal.head
    event: Any = payload("pull_request")
    event["pull_request"]["head"]["sha"], event["pull_request"]["base"]["sha"] = proposal.head, proposal.main
    place = checkout(proposal, proposal.merge, depth=1)
    for name in FILES:
        (folder / name).touch()
    named = {"GITHUB_API_URL": hub.url, **{name: str(folder / name) for name in FILES}}
    run = act(place, "pull_request", event, proposal.merge, named=named, token=TOKEN)
    return Job(run=run, hub=hub, folder=folder, head=proposal.head)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    """Everything that is hostile at once."""
    folder = tmp_path_factory.mktemp("job")
    files = hostile(folder / "files")
    write(files, {"secrets.yaml": SECRETS})
    with serve() as hub:
        yield started(folder, hub, files)
    assert hub.violations == []


@pytest.mark.threat("O1", "O2", "O3", "O4")
def test_the_comment_has_our_marker_once_and_nothing_in_it_leads_astray(job: Job) -> None:
    marker, text = job.comment
    assert marker == f"<!-- hardening-gate head={job.head} -->"
    assert "<!--" not in text
    assert Rendered(text).led_astray(LINKS) == []
    assert CONTROLS.findall(text) == []


@pytest.mark.threat("O8")
def test_of_the_files_of_the_runner_only_outputs_and_summary_are_written(job: Job) -> None:
    assert {name: job.file(name) for name in FILES[:-1]} == dict.fromkeys(FILES[:-1], "")
    named = runner_reads(job.file("outputs"))
    assert set(named) == set(yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["outputs"])
    assert (named["verdict"], named["unscanned"] != "0") == ("incomplete", True)
    text = job.file("GITHUB_STEP_SUMMARY")
    assert Rendered(text).led_astray(LINKS) == []
    assert commands(text) == []


@pytest.mark.threat("O6")
def test_the_runner_obeys_annotations_of_ours_and_nothing_else(job: Job) -> None:
    spoken = commands(job.run.out) + commands(job.run.err)
    assert {each.name for each in spoken} <= {"error", "warning", "notice"}
    assert not any(each.legacy for each in spoken)
    levels = [each.name for each in spoken]
    assert max(levels.count(level) for level in set(levels)) <= 10


@pytest.mark.threat("O5", "O6")
def test_the_status_is_one_line_of_ours(job: Job) -> None:
    assert job.run.code == 3
    for status in job.hub.statuses:
        assert len(status["description"]) <= 140
        assert status["description"].isprintable()
        assert status["description"].isascii() or "→" in status["description"]


@pytest.mark.threat("O9")
def test_nothing_that_may_be_secret_is_sent(job: Job) -> None:
    sent = b"".join(asked.body for asked in job.hub.asked).decode()
    sent += "".join(each["sarif"].decode() for each in job.hub.sarifs)
    for text in (sent, job.file("GITHUB_STEP_SUMMARY"), job.file("outputs"), job.run.out, job.run.err):
        assert CANARY not in text
        assert TOKEN not in text


@pytest.mark.threat("O10")
def test_code_scanning_gets_what_it_takes(job: Job) -> None:
    [sarif] = job.hub.sarifs
    run = json.loads(sarif["sarif"])["runs"][0]
    assert run["results"]
    assert all(each["partialFingerprints"]["primaryLocationLineHash"] for each in run["results"])


@pytest.mark.threat("P13")
def test_however_many_findings_there_are_the_calls_are_few(tmp_path: Path) -> None:
    files = write(tmp_path / "files", {f"d{n}.yaml": POD.replace("NAME", f"pod-{n}") for n in range(300)})
    with serve() as hub:
        done = started(tmp_path, hub, files)
    assert done.run.code == 1
    assert len(done.comment[1]) <= 65_000
    assert "away from the changed lines" not in done.run.out  # all 300 files are new
    assert len([asked for asked in hub.asked if asked.method != "GET"]) == 4
    assert len(hub.asked) <= 12
    assert hub.violations == []
