"""What people see while we work: one line on a terminal, commands with --verbose, and nothing else."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from process import End, Finished, Limits, Sandbox
from reporting.text import Terminal
from verbs import console
from verbs.console import CLEAR_LINE, Console, shown_command

ROOT = Path(__file__).resolve().parents[2]
ENTRYPOINT = ROOT / "entrypoint.py"
EVIL = "x\n::error::owned\x1b]0;owned\x07\x1b[2J##[set-output name=verdict]passed"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: app, image: a}]}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"


def finished(seconds: float = 1.234, end: End = End.EXITED, code: int = 0) -> Finished:
    return Finished(end=end, exit_code=code, stdout=b"", stderr="", seconds=seconds)


def seen(act: Callable[[Console], None], *, progress: bool = True, verbose: bool = False, quiet: bool = False) -> str:
    """What a console writes while ``act`` happens."""
    stream = io.StringIO()
    act(Console(quiet=quiet, verbose=verbose, progress=progress, stream=stream))
    return stream.getvalue()


def lines(written: str) -> list[str]:
    """What the one line of the terminal said, one after the other."""
    return written.split(CLEAR_LINE)[1:]


def until_drawn() -> None:
    time.sleep(3 * console.TICK)


class Screen:
    """A terminal, and everything that was written to it."""

    def __init__(self) -> None:
        self._master, self.slave = pty.openpty()
        self._written = bytearray()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 1 << 16):
                self._written += chunk
        except OSError:  # Linux tells the end of a terminal so
            return

    def close(self) -> str:
        os.close(self.slave)
        self._reading.join()
        os.close(self._master)
        return self._written.decode()


def gate(*words: str | Path, cwd: Path, **environment: str) -> tuple[int, str]:
    """Exit code of the program, and what it wrote to a terminal that is its standard error."""
    screen = Screen()
    run = subprocess.run(
        [sys.executable, ENTRYPOINT, *map(str, words)],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm", **environment},
        stdout=subprocess.DEVNULL,
        stderr=screen.slave,
        timeout=120,
        check=False,
    )
    return run.returncode, screen.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / f"{EVIL.replace('/', '-')}.yaml").write_text(POD, encoding="utf-8")
    return tmp_path


# ---------------------------------------------------------------- the line


def test_a_step_is_shown_on_a_terminal_and_taken_back() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("reading")):
            until_drawn()

    assert lines(seen(act)) == ["reading …", ""]


def test_progress_says_how_much_is_done_and_how_much_there_is() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("looking"), "objects"):
            shown.progress("trivy", more=4000)
            shown.progress("trivy", more=812)
            shown.progress("trivy", done=800)
            shown.progress("polaris", more=7)
            until_drawn()

    assert "polaris 0/7 · trivy 800/4,812 objects" in lines(seen(act))


def test_work_that_is_done_is_shown_no_more_and_the_next_step_starts_anew() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("rendering")):
            shown.progress("charts", more=2, done=2)
            until_drawn()
        with shown.step(Terminal("looking")):
            shown.progress("charts", more=1)
            until_drawn()

    said = lines(seen(act))
    assert "rendering …" in said
    assert said[-2:] == ["charts 0/1", ""]


def test_a_step_that_lasts_says_for_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "TICK", 0.05)

    def act(shown: Console) -> None:
        with shown.step(Terminal("looking")):
            time.sleep(1.2)

    assert "looking … · 1 s" in lines(seen(act))


def test_the_line_is_never_wider_than_the_terminal() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("looking")):
            for number in range(40):
                shown.progress(f"scanner-{number}", more=10)
            until_drawn()

    assert max(map(len, lines(seen(act)))) == console.COLUMNS - 1


def test_the_line_goes_before_an_error_is_told() -> None:
    def act(shown: Console) -> None:
        with pytest.raises(ValueError, match="broken"), shown.step(Terminal("reading")):
            raise ValueError("broken")

    assert seen(act).endswith(CLEAR_LINE)


def test_many_threads_lose_no_count() -> None:
    shown = Console(quiet=False, verbose=False, progress=True, stream=io.StringIO())

    def count() -> None:
        for _ in range(1000):
            shown.progress("files", more=2, done=1)

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown._line is not None
    assert shown._line._counts == {"files": (8000, 16000)}


def test_no_thread_is_left_behind() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("reading")):
            until_drawn()

    before = threading.active_count()
    seen(act)
    assert threading.active_count() == before


@pytest.mark.parametrize(("progress", "quiet"), [(False, False), (True, True), (False, True)])
def test_without_a_terminal_or_when_quiet_nothing_is_written(*, progress: bool, quiet: bool) -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("reading")):
            shown.progress("files", more=3, done=1)
            shown.command(["/bin/true"], "", finished())
            until_drawn()

    assert seen(act, progress=progress, quiet=quiet) == ""
    assert seen(act, progress=progress, quiet=quiet, verbose=quiet) == ""


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (finished(), "helm template -- x ./chart (charts/web): 1.23 s"),
        (finished(code=1), "helm template -- x ./chart (charts/web): 1.23 s, exit code 1"),
        (finished(end=End.TIMED_OUT, code=137), "helm template -- x ./chart (charts/web): 1.23 s, timed out"),
    ],
)
def test_verbose_shows_each_command_with_its_seconds_and_its_end(ended: Finished, says: str) -> None:
    words = ("/cache/helm@4/helm", "template", "--", "x", "./chart")
    assert seen(lambda shown: shown.command(words, "charts/web", ended), verbose=True) == f"{says}\n"


def test_verbose_shows_steps_with_their_seconds_and_no_line() -> None:
    def act(shown: Console) -> None:
        with shown.step(Terminal("reading")):
            shown.progress("files", more=3)

    assert re.fullmatch(r"reading: 0\.\d\d s\n", seen(act, verbose=True))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("helm", "--set=db.password=hunter2"), "helm '--set=db.password=…'"),
        (("helm", "--set=a=1,b=hunter2"), "helm '--set=a=…'"),
        (("helm", "--set-string=a=hunter2"), "helm '--set-string=a=…'"),
        (("helm", "--set", "a=hunter2", "b=c"), "helm --set 'a=…' b=c"),
        (("helm", "--set=hunter2"), "helm '--set=…'"),
        (("helm", "--set=a=x\nhunter2"), "helm '--set=a=…'"),
        (("helm", "--settings=a=b"), "helm --settings=a=b"),
    ],
)
def test_what_set_sets_is_never_shown(words: tuple[str, ...], shown: str) -> None:
    assert shown_command(words) == shown


def test_a_long_command_is_cut_and_says_so() -> None:
    shown = shown_command(["score", *(f"o{number}.yaml" for number in range(100))])
    assert shown.endswith(f"o{console.MOST_WORDS - 2}.yaml … and 77 more words")


def test_nothing_hostile_gets_through_a_command() -> None:
    written = seen(lambda shown: shown.command(["/bin/x", EVIL], EVIL, finished()), verbose=True)
    assert written.count("\n") == 1
    assert "\x1b" not in written
    assert "##[" not in written
    leading = seen(lambda shown: shown.command(["/bin/::error::x"], "", finished()), verbose=True)
    assert not leading.startswith("::")


def test_the_sandbox_tells_its_observer_of_every_child() -> None:
    told: list[tuple[tuple[str, ...], str, int]] = []

    def tell(words: Sequence[str], about: str, ended: Finished) -> None:
        told.append((tuple(words), about, ended.exit_code))

    with Sandbox(observer=tell) as sandbox, sandbox.folder("work") as folder:
        sandbox.run(("/bin/sh", "-c", "exit 3"), cwd=folder, limits=Limits(seconds=10), about="charts/web")
    assert told == [(("/bin/sh", "-c", "exit 3"), "charts/web", 3)]


# ---------------------------------------------------------------- the program on a terminal


def test_the_program_shows_its_work_on_a_terminal_and_leaves_the_line_empty(tree: Path) -> None:
    code, written = gate("scan", "--scanners", "native", cwd=tree)
    assert code == 0
    assert "native look at 1 objects …" in written
    assert written.endswith(CLEAR_LINE)
    assert set(re.findall(r"\x1b\[[^A-Za-z]*[A-Za-z]", written)) == {"\x1b[2K"}
    assert "owned" not in written


@pytest.mark.parametrize("words", [("--quiet",), ("--quiet", "--verbose")])
def test_quiet_silences_the_program_on_a_terminal(tree: Path, words: tuple[str, ...]) -> None:
    assert gate("scan", "--scanners", "native", *words, cwd=tree) == (0, "")


def test_a_terminal_that_cannot_take_a_line_back_gets_none(tree: Path) -> None:
    assert gate("scan", "--scanners", "native", cwd=tree, TERM="dumb") == (0, "")


def test_a_terminal_that_goes_away_changes_no_verdict(tree: Path) -> None:
    master, slave = pty.openpty()
    words = [sys.executable, str(ENTRYPOINT), "scan", "--scanners", "native"]
    with subprocess.Popen(words, cwd=tree, stdout=subprocess.DEVNULL, stderr=slave) as process:
        os.close(slave)
        os.close(master)
        assert process.wait(timeout=60) == 0


@pytest.fixture
def hostile_chart(tmp_path: Path) -> Path:
    folder = tmp_path / EVIL.replace("/", "-")
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(CHART, encoding="utf-8")
    (folder / "templates" / "pod.yaml").write_text(POD, encoding="utf-8")
    return tmp_path


@pytest.mark.tools
def test_no_name_of_a_chart_acts_on_a_terminal_and_no_value_of_set_is_shown(hostile_chart: Path) -> None:
    words = ("scan", "--scanners", "native", "--set", "web=password=hunter2")
    code, loud = gate(*words, "--verbose", cwd=hostile_chart)
    _, still = gate(*words, cwd=hostile_chart)
    assert code == 0
    assert "helm template" in loud
    assert "owned" in loud
    assert "\x1b" not in loud
    assert "hunter2" not in loud + still
    assert "rendering charts 0/1" in still or "reading and rendering" in still
    for row in re.split(r"[\r\n]+", (loud + still).replace(CLEAR_LINE, "\n")):
        assert not row.lstrip().startswith("::")
        assert "##[" not in row
