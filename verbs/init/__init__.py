"""``init``: looks at a repository, and writes the workflow and a commented configuration for it.

It never overwrites a file, and writes nothing through a link.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from manifests import files
from manifests.discovery import work_tree
from manifests.files import Kind, NotReadError
from model.errors import EnvironmentBrokenError, ExitCode, HardeningGateError, UsageError
from reporting.numbers import count
from reporting.text import Terminal, line, terminal
from revisions.checkout import Checkout, find
from settings import CONFIG, PROGRAM, InitSettings
from verbs.console import write_report
from verbs.init.first_look import TRIALS, FirstLook, Offered, look
from verbs.init.other_scanners import Trace, traces
from verbs.init.starter_files import configuration, lists_sources, workflow

WORKFLOW: Final = ".github/workflows/hardening-gate.yml"
USUAL: Final = ("main", "master", "trunk", "develop")
"""Default branches, where the clone does not say which it is."""
SHOWN: Final = 5
"""Names in one row; the configuration has all of them."""
POINTER: Final = re.compile(r"ref: refs/(?:heads|remotes/origin)/([A-Za-z0-9][^\s\x00-\x1f]*)\s*")
LONGEST_POINTER: Final = 4096


class NothingFoundError(HardeningGateError):
    """There is nothing to scan, so nothing is written."""

    exit_code = ExitCode.INCOMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class StarterFile:
    """One file that is offered."""

    path: str
    """Relative to the root."""
    text: str
    is_there: bool
    """A file of that name exists, and stays as it is."""


def init(wanted: InitSettings) -> int:
    """Write what is not there yet, and say what was seen; 0.

    Raises UsageError for a root that makes no sense and for a link in the way, NothingFoundError where nothing is to be
    scanned, EnvironmentBrokenError where nothing can be written.
    """
    root = _root(wanted.root)
    seen = look(root)
    if seen.is_empty:
        raise NothingFoundError(
            f"there is nothing to scan below {root}: no chart, no kustomization, no manifest; nothing was written",
            f"Run `{PROGRAM} init --root DIR` for a repository that holds some.",
        )
    texts = {CONFIG: configuration(seen), WORKFLOW: workflow(default_branch(root))}
    offered = tuple(_offer(root, path, text) for path, text in texts.items())
    if not wanted.dry_run:
        for file in offered:
            if not file.is_there:
                _write(root / file.path, file.text)
    rows = (*_seen(root, seen), *_others(traces(root)), *_files(offered, wanted), *_next(root, offered, wanted))
    write_report(None, "".join(f"{line(row)}\n" for row in rows))
    return ExitCode.PASSED


def _root(named: Path | None) -> Path:
    """The top of the work tree: GitHub reads workflows nowhere else. Raises UsageError."""
    if named is None:
        return work_tree(Path.cwd())
    if not named.is_dir():
        raise UsageError(f"the root {named} is no folder", "Name the top of a repository.")
    root = named.resolve()
    top = work_tree(root)
    if top != root:
        raise UsageError(f"the root {named} lies inside of the repository {top}", f"Use --root {top}.")
    return root


# ---------------------------------------------------------------- the default branch


def default_branch(root: Path) -> str:
    """What the clone says it is; else the usual one that is there, the current one, or ``main``. git is not asked.

    Raises EnvironmentBrokenError for a repository that cannot be read.
    """
    checkout = find(root)
    if checkout is None:
        return USUAL[0]
    refs = checkout.common_dir / "refs"
    stated = _pointer(refs / "remotes" / "origin" / "HEAD")
    usual = (name for name in USUAL if _is_branch(checkout, name))
    return stated or next(usual, None) or _pointer(checkout.git_dir / "HEAD") or USUAL[0]


def _pointer(file: Path) -> str | None:
    """The branch that a symbolic ref names (gitrepository-layout)."""
    match = POINTER.fullmatch(_text(file)[:LONGEST_POINTER])
    return match[1] if match else None


def _is_branch(checkout: Checkout, name: str) -> bool:
    refs, packed = checkout.common_dir / "refs", _text(checkout.common_dir / "packed-refs")
    kinds = ("heads", "remotes/origin")
    return any((refs / kind / name).is_file() or f" refs/{kind}/{name}\n" in packed for kind in kinds)


def _text(file: Path) -> str:
    """What a file of the repository says; nothing where it is none."""
    with suppress(NotReadError):
        return files.read_file(file).decode("utf-8", "replace")
    return ""


# ---------------------------------------------------------------- writing


def _offer(root: Path, path: str, text: str) -> StarterFile:
    """Raise UsageError where a link, or something that is no folder, stands in the way."""
    target = root / path
    try:
        link = files.link_between(root, target)
        if link is not None:
            raise UsageError(
                f"{link} is a symbolic link, and nothing is written through links; nothing was written",
                "Put a file or folder in its place, or remove it, and run it again.",
            )
        folder = next((up for up in target.parents if files.kind_of(up) is not None), root)
        if files.kind_of(folder) is not Kind.FOLDER:
            raise UsageError(f"{folder} is no folder; nothing was written", "Rename it, and run it again.")
        kind = files.kind_of(target)
    except NotReadError as error:
        raise UsageError(f"{target}: {error.reason}; nothing was written", f"{error.remedy}.") from error
    if kind not in {None, Kind.FILE}:
        raise UsageError(f"{target} is no file; nothing was written", "Rename it, and run it again.")
    return StarterFile(path=path, text=text, is_there=kind is not None)


def _write(file: Path, text: str) -> None:
    """Make a new file, whole or not at all; whoever was faster keeps theirs."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
        except OSError:
            file.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise EnvironmentBrokenError(
            f"{file} cannot be written: {error.strerror}",
            "Make its folder writable, or use --dry-run and copy the text.",
        ) from error


# ---------------------------------------------------------------- what is said


def _seen(root: Path, seen: FirstLook) -> Iterator[Terminal]:
    yield terminal("seen in {}", root)
    yield _row("charts", len(seen.charts), [_chart(each) for each in seen.charts])
    yield _row("kustomizations", len(seen.kustomizations), list(seen.kustomizations))
    total = sum(held for _, held in seen.manifests)
    yield _row("manifest files", total, [f"{folder} ({held})" for folder, held in seen.manifests])
    if seen.failures:
        yield _row("cannot be read", len(seen.failures), [f"{each.path}: {each.reason}" for each in seen.failures])
    lacking = [each.path for each in seen.charts if each.missing]
    if lacking:
        yield _row("lack charts", len(lacking), lacking)
        yield terminal("  {:15} next: `helm dependency build` and commit charts/, or see deps in {}", "", CONFIG)
    if any(each.environments for each in seen.charts) and not lists_sources(seen):
        yield terminal(
            "  {:15} no environments are written: some name is not UTF-8. next: rename it, and run again", ""
        )


def _row(what: str, number: int, names: Sequence[str]) -> Terminal:
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    listed = Terminal(", ".join(terminal("{}", name) for name in names[:SHOWN]))
    return terminal("  {:15} {:>3}{}{}{}", what, number, "  " if names else "", listed, more)


def _chart(chart: Offered) -> str:
    added = ", ".join(each.name for each in chart.environments)
    offered = f"{len(chart.trials)} in {TRIALS}/, not scanned" if chart.trials else ""
    words = "; ".join(filter(None, (f"also as {added}" if added else "", offered)))
    return f"{chart.path} ({words})" if words else chart.path


def _others(found: Sequence[Trace]) -> Iterator[Terminal]:
    if found:
        yield Terminal("")
        yield Terminal("for other scanners")
    for trace in found:
        if trace.is_settings:
            yield terminal("  {} ({}): {}", trace.where, trace.what, trace.becomes)
        else:
            yield terminal(
                "  {} ({} in {}, first in {}): {}",
                *(trace.what, trace.count, count(trace.files, "file")),
                *(trace.where, trace.becomes),
            )


def _files(offered: Sequence[StarterFile], wanted: InitSettings) -> Iterator[Terminal]:
    yield Terminal("")
    for file in offered:
        if file.is_there:
            yield terminal("left as it is: {}, which exists", file.path)
        elif not wanted.dry_run:
            yield terminal("written: {}", file.path)
        else:
            yield terminal("would be written: {}", file.path)
            yield Terminal("")
            yield from (terminal("    {}", row) for row in file.text.splitlines())
            yield Terminal("")


def _next(root: Path, offered: Sequence[StarterFile], wanted: InitSettings) -> Iterator[Terminal]:
    """Three commands, the last of them for git."""
    place = "" if root == Path.cwd() else f"cd {shlex.quote(str(root))} && "
    names = " ".join(file.path for file in offered)
    yield Terminal("")
    yield Terminal("next")
    first = f"{PROGRAM} init" if wanted.dry_run else f"{PROGRAM} scan"
    about = "writes them" if wanted.dry_run else "what holds today; it does not block what comes later"
    yield terminal("  {:58} # {}", f"{place}{first}", about)
    yield terminal(
        "  {:58} # {}", f"{place}grep -n OWNER {WORKFLOW}", "the line to fill in: whose action, which commit"
    )
    yield terminal("  {:58} # {}", f"{place}git add {names}", "commit, and open a pull request")
