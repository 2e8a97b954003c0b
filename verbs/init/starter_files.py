"""The two files that ``init`` writes, as text: templates of ours, filled in with what was seen.

Every name of the repository goes in as a quoted scalar or as one harmless line of a comment, never as YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from model.sources import Environment
from reporting.text import plain
from verbs.init.first_look import OWN_VALUES, FirstLook, Offered

TEMPLATES: Final = Path(__file__).parent / "templates"
PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:[./][A-Za-z0-9_-]+)*|\.")
"""What YAML reads as a string without quotes, unless it is one of the words."""
WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
BRANCH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
"""Names without what a filter of GitHub takes for a pattern."""
FETCHED: Final = ("https://", "oci://")
"""Addresses from which ``deps`` may fetch."""
SHOWN: Final = 20
"""Lines of one comment; a list of sources is never cut."""
NAMED: Final = 5
"""Names in one line of a comment."""
OPEN: Final = "#"
"""Before a key that is not set."""


def workflow(branch: str) -> str:
    """The workflow; ``branch`` is the default branch, ``main`` where its name would be a pattern."""
    return _filled("workflow.yml", {"@branch@": scalar(branch if BRANCH.fullmatch(branch) else "main")})


def configuration(seen: FirstLook) -> str:
    """The configuration. It lists sources where it has environments to add, else everything is searched for."""
    sections = {"@sources@": _sources(seen), "@exclude@": _exclude(seen.examples), "@deps@": _deps(seen.charts)}
    return _filled("configuration.yaml", {mark: "\n".join(rows) for mark, rows in sections.items()})


def lists_sources(seen: FirstLook) -> bool:
    """Whether an environment is to be added, and all names can be written."""
    names = (*(each.path for each in seen.charts), *seen.kustomizations, *_files(seen.charts))
    return any(each.environments for each in seen.charts) and all(map(_is_writable, names))


def _files(charts: Iterable[Offered]) -> Iterator[str]:
    return (file for each in charts for one in (*each.environments, *each.trials) for file in one.files)


def _is_writable(name: str) -> bool:
    """What was no UTF-8 is told by U+FFFD, and names no file."""
    return "\ufffd" not in name and not any("\ud800" <= character <= "\udfff" for character in name)


def _filled(template: str, values: Mapping[str, str]) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    return re.sub(r"@[a-z]+@", lambda mark: values[mark[0]], text)


def scalar(text: str) -> str:
    """A string of YAML: plain where that is safe, else in double quotes, with escapes for what nobody sees."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in {'"', "\\"}:
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"


# ---------------------------------------------------------------- sources

LISTED: Final = (
    "# What is scanned: all that is there now. Add charts and kustomizations that come later, or take `sources` away:",
    "# without it everything is searched for, each chart with its own values. Reports name what is not listed.",
)
SEARCHED: Final = (
    "# Everything is searched for: charts with their own values, kustomizations that no other reaches, raw manifests.",
    "# A list would count in its place, for charts that are scanned once for each environment. This was found:",
)


def _sources(seen: FirstLook) -> tuple[str, ...]:
    listed = [*_charts(seen.charts), *_kustomizations(seen.kustomizations), *_manifests(seen.manifests)]
    if lists_sources(seen):
        return (*LISTED, "sources:", *listed)
    return (*SEARCHED, *(f"{OPEN}{row}" for row in ("sources:", *listed)))


def _charts(charts: Iterable[Offered]) -> Iterator[str]:
    for chart in charts:
        yield f"  - chart: {scalar(chart.path)}"
        own = Environment(name="default", files=(OWN_VALUES,))
        active = (own, *chart.environments) if chart.has_own_values else chart.environments
        if chart.environments:
            yield "    environments: # each is scanned; take away what nobody deploys"
            yield from (f"      {_environment(each)}" for each in active)
            yield from (f"      {OPEN}{_environment(each)} # a test" for each in chart.trials)
        elif chart.trials:
            yield f"    {OPEN}environments: # its tests; only its own values are scanned"
            yield from (f"    {OPEN}  {_environment(each)}" for each in (*active, *chart.trials))
        yield from (f"    # not offered: {plain(each)}" for each in chart.passed_over[:SHOWN])


def _environment(environment: Environment) -> str:
    return f"{scalar(environment.name)}: [{', '.join(map(scalar, environment.files))}]"


def _kustomizations(paths: Iterable[str]) -> Iterator[str]:
    return (f"  - kustomize: {scalar(path)}" for path in paths)


def _manifests(folders: Sequence[tuple[str, int]]) -> Iterator[str]:
    """All raw manifests, wherever they come to lie: a new folder is not left out by a list that is older."""
    names = plain(", ".join(folder for folder, _ in folders[:NAMED]))
    more = f", and {len(folders) - NAMED} more folders" if len(folders) > NAMED else ""
    yield f"  - manifests: . # wherever they lie; now in {names}{more}" if folders else "  - manifests: . # now none"


# ---------------------------------------------------------------- what is left out, what is fetched


def _exclude(examples: Sequence[str]) -> Iterator[str]:
    if examples:
        yield "# These look like tests or examples, and hold something that is scanned:"
    globs = [f"/{_literal(each)}/" for each in examples if _is_writable(each)] or ["**/testdata/**"]
    yield f"{OPEN}exclude: [{', '.join(map(scalar, globs))}]"


def _literal(path: str) -> str:
    """A path as a gitignore glob that means this path."""
    return re.sub(r"([\\*?\[\]!# ])", r"\\\1", path)


def _deps(charts: Iterable[Offered]) -> Iterator[str]:
    lacking = [chart for chart in charts if chart.missing]
    yield "# From where `hardening-gate deps` may fetch dependencies that charts do not hold; without a list, nowhere."
    if lacking:
        yield "# These cannot be rendered before. Better: `helm dependency build CHART`, and commit its charts/."
    for chart in lacking[:SHOWN]:
        yield f"# {plain(chart.path)} needs {plain(', '.join(chart.missing))}"
    if len(lacking) > SHOWN:
        yield f"# and {len(lacking) - SHOWN} more"
    addresses = sorted({each for chart in lacking for each in chart.repositories if each.startswith(FETCHED)})
    shown = [each for each in addresses if _is_writable(each)] or ["https://charts.example.com/stable"]
    yield f"{OPEN}deps: {{allow: [{', '.join(map(scalar, shown))}]}}"
