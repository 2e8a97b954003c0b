"""What the program says about changes whose meaning is known: a table of pairs of trees, with scores and seconds.

A folder of pairs holds one folder for each, with ``base/`` and ``head/``, and a ``META.json`` whose ``reading`` says in
words what to expect. It measures and shows; whether a reading is met is for people to say.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.audit import Score
from reporting.numbers import percent

ROOT = Path(__file__).resolve().parents[1]
GATE = ROOT / ".venv" / "bin" / "hardening-gate"
VERDICTS = {0, 1, 3}
"""Exit codes of a run that scanned (docs/usage.md)."""
COUNTS = ("introduced", "resolved", "persisting", "moved", "newly_visible", "uncompared", "changed_resources")

COLUMNS = (
    *("pair", "expected", "base", "head", "patch", *(name.replace("_", " ") for name in COUNTS)),
    *("head alone, s", "both cold, s", "both warm, s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one pair."""

    name: str
    reading: str
    document: Any
    """``comparison.json``."""
    seconds: dict[str, float]
    """Medians, by what was measured."""


def main(argv: Sequence[str] | None = None) -> int:
    """0 where every pair gave a verdict, and the same one with and without the cache."""
    parser = argparse.ArgumentParser(prog="python -m bench.pairs", description=__doc__)
    parser.add_argument("folder", type=Path, help="of pairs")
    parser.add_argument("--only", default="", help="names that begin so")
    parser.add_argument("--runs", type=int, default=1, help="for each median")
    parser.add_argument("--options", default="", help="more options of scan, separated by spaces")
    wanted = parser.parse_args(argv)
    pairs = sorted(
        each.parent for each in wanted.folder.glob(f"{wanted.only}*/head") if (each.parent / "base").is_dir()
    )
    if not pairs:
        sys.stderr.write(
            f"error: no pair in {wanted.folder}\n  next: name a folder whose folders hold base/ and head/\n"
        )
        return 2
    for line in table(_measured(pair, wanted.runs, wanted.options.split()) for pair in pairs):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


def table(rows: Iterator[Row]) -> Iterator[str]:
    """Markdown, a line for each pair."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for row in rows:
        document = row.document
        scores = [_percent(document[side]["score"]) for side in ("base", "head")] + [_percent(document["patch"])]
        counts = [str(len(document[name])) for name in COUNTS]
        seconds = [f"{row.seconds[name]:.2f}" for name in ("head", "cold", "warm")]
        yield f"| {' | '.join((row.name, row.reading, *scores, *counts, *seconds))} |"


def _percent(score: Any) -> str:  # noqa: ANN401 JSON
    return percent(Score(earned=score["earned"], possible=score["possible"]))


def _measured(pair: Path, runs: int, options: Sequence[str]) -> Row:
    meta = pair / "META.json"
    reading = json.loads(meta.read_text(encoding="utf-8")).get("reading", "") if meta.is_file() else ""
    seconds: dict[str, list[float]] = {"head": [], "cold": [], "warm": []}
    documents: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for _ in range(runs):
            cache = place / "cache"
            shutil.rmtree(cache, ignore_errors=True)
            seconds["head"].append(_scan(pair, place, options)[0])
            for name in ("cold", "warm"):
                took, text = _scan(pair, place, ["--base", "../base", "--cache", str(cache), *options])
                seconds[name].append(took)
                documents.append(text)
    if len(set(documents)) > 1:
        raise SystemExit(f"error: {pair.name}: cached and uncached runs differ")
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    return Row(name=pair.name, reading=reading, document=json.loads(documents[0]), seconds=medians)


def _scan(pair: Path, place: Path, options: Sequence[str]) -> tuple[float, str]:
    """Seconds, and ``comparison.json``."""
    report = place / "comparison.json"
    fixed = ("--root", ".", "--allow-incomplete=all", "--fail-on-new", "none", "--format", f"comparison={report}")
    start = time.perf_counter()
    done = subprocess.run(
        [GATE, "scan", ".", *fixed, *options], cwd=pair / "head", capture_output=True, text=True, check=False
    )
    took = time.perf_counter() - start
    if done.returncode not in VERDICTS:
        raise SystemExit(f"error: {pair.name}: exit code {done.returncode}\n{done.stderr}")
    return took, report.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
