"""Measures wall time and summed memory of each scanner alone and of all together, on the same inputs in the same run.

It measures, it does not judge: figures of one machine compare only with figures of the same run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import documents

ROOT = Path(__file__).resolve().parents[1]
GATE = ROOT / ".venv" / "bin" / "hardening-gate"
SCANNERS = ("native", "polaris", "kube-score", "trivy")
SUBJECTS = (*SCANNERS, ",".join(SCANNERS))
VERDICTS = {0, 1, 3}
"""Exit codes of a run that scanned (docs/usage.md)."""
SAMPLE_SECONDS = 0.02
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One subject's runs."""

    subject: str
    seconds: float
    """Median."""
    fastest: float
    slowest: float
    memory: int
    """Bytes, resident, summed over the processes of a run; the highest of all samples. 0: not measured here."""
    code: int


def main(arguments: Sequence[str]) -> int:
    """Measure and print a table; 1 when a run did not get as far as a verdict."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("corpus", nargs="?", type=Path, help="a folder to scan; without one: documents made here")
    parser.add_argument("--runs", type=int, default=5, help="median of so many (default: %(default)s)")
    parser.add_argument("--documents", type=int, default=1000, help="how many to make (default: %(default)s)")
    options = parser.parse_args(arguments)
    with inputs(options.corpus, options.documents) as corpus:
        print(f"{corpus}: medians of {options.runs}, {os.cpu_count()} processors", flush=True)
        show(measure("--help", [str(GATE), "--help"], options.runs), None)
        figures = []
        for subject in SUBJECTS:
            command = [str(GATE), "scan", str(corpus), "--root", str(corpus), "--scanners", subject]
            figures.append(measure(subject, [*command, "--format", "json"], options.runs))
            show(figures[-1], figures[0])
    ratio = figures[-1].seconds / figures[-2].seconds
    print(f"all together take {ratio:.2f} times as long as {figures[-2].subject} alone")
    return 0 if all(figure.code in VERDICTS for figure in figures) else 1


@contextmanager
def inputs(corpus: Path | None, count: int) -> Iterator[Path]:
    """The folder to scan."""
    if corpus is not None:
        yield corpus.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        documents.write(Path(folder), count)
        yield Path(folder)


def measure(subject: str, command: Sequence[str], runs: int) -> Figure:
    """Run the command so many times."""
    seconds, peaks, code = [], [0], 0
    for _ in range(runs):
        start = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=watch, args=(process, peaks))
        watcher.start()
        code = process.wait()
        seconds.append(time.monotonic() - start)
        watcher.join()
    median = statistics.median(seconds)
    fastest, slowest = min(seconds), max(seconds)
    return Figure(subject=subject, seconds=median, fastest=fastest, slowest=slowest, memory=max(peaks), code=code)


def watch(process: subprocess.Popen[bytes], peaks: list[int]) -> None:
    """Sample the memory of the process and its descendants while it runs."""
    while process.returncode is None:
        peaks.append(resident(process.pid))
        time.sleep(SAMPLE_SECONDS)


def resident(pid: int) -> int:
    """Bytes of resident memory, the process and all below it; pages that they share count for each. Linux only."""
    children: dict[int, list[int]] = defaultdict(list)
    pages: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children[int(fields[1])].append(int(entry.name))
        pages[int(entry.name)] = int(fields[21])
    todo, total = [pid], 0
    while todo:
        current = todo.pop()
        total += pages.get(current, 0)
        todo += children[current]
    return total * PAGE


def show(figure: Figure, reference: Figure | None) -> None:
    """One line of the table."""
    times = f"{figure.seconds:8.2f} s ({figure.fastest:.2f} to {figure.slowest:.2f})"
    ratio = f"{figure.seconds / reference.seconds:7.1f} x native" if reference else ""
    print(f"{figure.subject:34} {times:28} {figure.memory / 2**20:7.0f} MiB  exit {figure.code}  {ratio}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
