"""``controls``: the catalogue, or the part of it that the filters leave."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches

from controls import catalogue as catalogues
from controls import lookup
from controls.catalogue import Catalogue
from controls.configuration import require_framework
from model.control import Control, Severity
from model.errors import ExitCode, UsageError
from model.policy import Policy
from reporting import control_list
from settings import SCANNERS, ControlsSettings
from verbs.console import write_report


def controls(wanted: ControlsSettings) -> int:
    """Print the list; 0. Raises UsageError for a filter that names what is not there."""
    catalogue = catalogues.load()
    entries = lookup.entries(catalogue, choose(catalogue, wanted))
    write_report(None, control_list.render(wanted.format, entries, catalogue.digest, colour=wanted.colour))
    return ExitCode.PASSED


def choose(catalogue: Catalogue, wanted: ControlsSettings) -> Iterator[Control]:
    """The controls that pass all filters; a filter lets pass what fits one of its words."""
    for framework in wanted.frameworks:
        require_framework(framework)
    _require("scanner", wanted.scanners, SCANNERS)
    _require("severity", wanted.severities, tuple(Severity))
    _require("category", wanted.categories, {control.category for control in catalogue.controls.values()})
    narrowed = catalogue.under(Policy(frameworks=wanted.frameworks))
    reach = narrowed.within_reach(wanted.scanners or SCANNERS)
    for control in narrowed.controls.values():
        if (
            (not wanted.scanners or control.id in reach)
            and (not wanted.severities or control.severity in wanted.severities)
            and (not wanted.categories or control.category in wanted.categories)
        ):
            yield control


def _require(what: str, words: Sequence[str], known: Collection[str]) -> None:
    for word in words:
        if word not in known:
            near = get_close_matches(word, sorted(known), n=1)
            meant = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(f"there is no {what} {word!r}", f"{meant}Known: {', '.join(sorted(known))}.")
