"""Shows the product on the example pull requests in ``examples/shop``, the first verdict before anything is built.

Standard library only: it starts ``.venv/bin/hardening-gate`` and ``tools/build.py`` as a person would.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GATE = Path(".venv", "bin", "hardening-gate")
SHOP = Path("examples", "shop")
REPORTS = Path("reports")
PASSED, BLOCKED = 0, 1
A_VERDICT = (PASSED, BLOCKED)


class DemoError(Exception):
    """A step ended in a way that the demo does not show."""


def main() -> int:
    """All steps; 0 when each ended as it should, the blocked verdict included."""
    started = time.monotonic()
    try:
        native_manifests()
        native_chart()
        whole_verdict()
    except DemoError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"\nDone in {minutes} min {seconds} s. The reports:")
    for report in sorted((ROOT / REPORTS).glob("*/*")):
        print(f"  {report.relative_to(ROOT)}")
    return 0


def native_manifests() -> None:
    """Needs nothing but Python."""
    title("1. The first verdict: our own checks on the raw manifests of a pull request that makes the shop worse")
    scan("worse", "manifests", "--scanners", "native", expected=A_VERDICT)


def native_chart() -> None:
    """Needs Helm."""
    title("2. Helm, then the same checks on the chart")
    build("helm")
    scan("worse", "chart", "--scanners", "native", expected=A_VERDICT)


def whole_verdict() -> None:
    """Needs all scanners."""
    title("3. The other tools; Trivy takes several minutes the first time, and none ever after")
    build()
    title("4. The whole verdict: Polaris, kube-score, Trivy and our own checks, merged. First the worse pull request")
    scan("worse", ".", "--output", str(REPORTS / "worse"), expected=(BLOCKED,))
    title("5. And the better one")
    scan("better", ".", "--output", str(REPORTS / "better"), expected=(PASSED,))


def scan(head: str, part: str, *options: str, expected: tuple[int, ...]) -> None:
    """Compare one side of the shop with its base and show the table."""
    words = [
        str(GATE),
        "scan",
        str(SHOP / head / part),
        "--root",
        str(SHOP / head),
        "--base",
        str(SHOP / "base" / part),
    ]
    code = run([*words, "--format", "table", *options])
    if code not in expected:
        wanted = " or ".join(map(str, expected))
        raise DemoError(f"exit code {code} where {wanted} was expected. Next step: {GATE} doctor")
    says = "a workflow would fail here, and the pull request could not be merged" if code else "the gate lets it pass"
    print(f"\n(exit code {code}: {says})")


def build(*names: str) -> None:
    """Build tools that are absent."""
    if run([sys.executable, "tools/build.py", *names]) != 0:
        raise DemoError("a tool could not be built. Next step: see its lines above")


def run(words: list[str]) -> int:
    """Start one command, visibly, in the root of the checkout."""
    shown = ["python3" if word == sys.executable else word for word in words]
    print(f"$ {shlex.join(shown)}\n", flush=True)
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def title(text: str) -> None:
    """The heading of a step."""
    print(f"\n== {text}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
