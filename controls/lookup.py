"""From an id that a person types to what it means: a control, any scanner's rule in any spelling, or a reference.

Knows nothing of policy: severities are those of the catalogue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from controls.catalogue import DATA, RULES_FILE, UNMAPPED, Catalogue
from model.control import Control, Severity
from model.errors import UsageError
from model.lookup import Entry, Explanation, Judge, KnownRule, Reference

NEAREST = 6
"""How many ids a wrong one is answered with."""
LONGEST = 200
"""Characters of an id that are looked at: every real one is shorter."""
SHORTEST_PART = 3
"""Characters from which on a part of an id is worth a look."""
_UNMAPPED_ID = re.compile(rf"{UNMAPPED}/([\w-]+)/([\w.-]+)", re.ASCII)


def entries(catalogue: Catalogue, controls: Iterable[Control]) -> tuple[Entry, ...]:
    """Controls with all that judge them, worst first, then by id."""
    judges = _judges(catalogue)
    ranks = list(Severity)
    ordered = sorted(controls, key=lambda control: (ranks.index(control.severity), control.id))
    return tuple(Entry(control=each, judges=tuple(judges.get(each.id) or _own_rules(each))) for each in ordered)


def explain(catalogue: Catalogue, asked: str, folder: Path = DATA) -> Explanation:
    """All that an id means; ``SCANNER/`` or ``FRAMEWORK/`` before it says whose it is. Case does not matter.

    Raises UsageError, with the nearest ids, for one that nobody has.
    """
    asked = asked.strip()[:LONGEST]
    spellings = Spellings(json.loads((folder / RULES_FILE).read_bytes())["normalise"])
    rules = tuple(_rules(catalogue, asked, spellings))
    references = tuple(_references(catalogue, asked))
    controls = {*_named(catalogue, asked), *_of_rules(catalogue, rules), *_of_references(catalogue, references)}
    if not controls and not rules:
        controls = {*_unmapped(catalogue, asked)}
    if not controls and not rules:
        raise UsageError(f"there is no control, rule or reference {asked!r}", _nearest(catalogue, asked))
    return Explanation(rules=rules, references=references, entries=entries(catalogue, controls))


@dataclass(frozen=True, slots=True)
class Spellings:
    """The ways in which people and older versions write a scanner's rule (``normalise`` of the data files)."""

    table: Mapping[str, Mapping[str, Any]]

    def of(self, scanner: str, asked: str) -> Iterator[tuple[str, str]]:
        """Every rule that is meant by ``asked``, in the scanner's own spelling, with a remark where it is odd."""
        how = self.table.get(scanner, {})
        word = asked.lower() if how.get("lower") else asked
        for old, new in how.get("replace", {}).items():
            word = word.replace(old, new)
        renamed = how.get("exceptions", {}).get(asked.upper())
        if renamed:
            yield renamed, f"written {asked.upper()} by older versions"
        yield self._numbered(how, word), ""

    @staticmethod
    def _numbered(how: Mapping[str, Any], word: str) -> str:
        found = re.match(how["pattern"], word.upper()) if "pattern" in how else None
        if found is None:
            return word
        rendered = how["render"].format(prefix=found["prefix"], number=int(found["number"]))
        return str(how["renamed"].get(rendered, rendered))


def _judges(catalogue: Catalogue) -> dict[str, list[Judge]]:
    """By id of the control."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for (scanner, rule), ids in catalogue.aliases.items():
        for id_ in ids:
            found.setdefault(id_, set()).add((scanner, rule, ""))
    for (scanner, rule), routes in catalogue.routes.items():
        if {route.control for route in routes} <= {*catalogue.aliases.get((scanner, rule), ())}:
            continue  # whatever the text says, it is the same
        for route in routes:
            found.setdefault(route.control, set()).add((scanner, rule, route.contains))
    return {
        id_: [Judge(scanner=scanner, rule=rule, contains=contains) for scanner, rule, contains in sorted(rows)]
        for id_, rows in found.items()
    }


def _own_rules(control: Control) -> Iterator[Judge]:
    """Of a control that was made for a rule which the catalogue does not know."""
    for scanner, rules in sorted(control.rules.items()):
        yield from (Judge(scanner=scanner, rule=rule) for rule in rules)


def _named(catalogue: Catalogue, asked: str) -> Iterator[Control]:
    control = catalogue.controls.get(asked.lower())
    if control:
        yield control


def _unmapped(catalogue: Catalogue, asked: str) -> Iterator[Control]:
    """The control that reports make for a rule which the catalogue does not know."""
    found = _UNMAPPED_ID.fullmatch(asked)
    if found and found[1] in catalogue.severities:
        yield catalogue.unmapped(found[1], found[2], "")


def _rules(catalogue: Catalogue, asked: str, spellings: Spellings) -> Iterator[KnownRule]:
    """Rules of that id. One of ours has the id of its control, and is one only where ``native/`` says so."""
    whose, slash, rest = asked.removeprefix(f"{UNMAPPED}/").partition("/")
    known = _known_rules(catalogue)
    for scanner in sorted({scanner for scanner, _ in known}):
        if slash and whose.lower() != scanner:
            continue
        if not slash and scanner == "native":
            continue
        meant = dict(reversed([*spellings.of(scanner, rest if slash else asked)]))
        for spelling, remark in meant.items():
            rule = known.get((scanner, spelling.lower()))
            if rule:
                why = catalogue.not_ours.get((scanner, rule), "")
                yield KnownRule(scanner=scanner, rule=rule, not_ours=why, remark=remark)


def _known_rules(catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """By scanner and the rule in small letters: the rule as its scanner writes it."""
    listed = {*catalogue.aliases, *catalogue.routes, *catalogue.not_ours}
    return {(scanner, rule.lower()): rule for scanner, rule in sorted(listed)}


def _references(catalogue: Catalogue, asked: str) -> Iterator[Reference]:
    for framework, id_ in sorted(_all_references(catalogue)):
        family = framework.partition("-")[0]
        spelled = {id_, *(f"{name}/{id_}" for name in (framework, family, _without_version(framework)))}
        if asked.lower() in {each.lower() for each in spelled}:
            yield Reference(framework=framework, id=id_)


def _without_version(framework: str) -> str:
    return re.sub(r"-[\d.]+$", "", framework)


def _all_references(catalogue: Catalogue) -> set[tuple[str, str]]:
    return {
        (framework, id_)
        for control in catalogue.controls.values()
        for framework, ids in control.compliance.items()
        for id_ in ids
    }


def _of_rules(catalogue: Catalogue, rules: Iterable[KnownRule]) -> Iterator[Control]:
    for rule in rules:
        yield from (catalogue.controls[id_] for id_ in catalogue.of_passed(rule.scanner, rule.rule))


def _of_references(catalogue: Catalogue, references: Iterable[Reference]) -> Iterator[Control]:
    for reference in references:
        for control in catalogue.controls.values():
            if reference.id in control.compliance.get(reference.framework, ()):
                yield control


def _nearest(catalogue: Catalogue, asked: str) -> str:
    """The next step: ids that hold what was asked for, or look like it."""
    ids = {*catalogue.controls, *(rule for _, rule in {*catalogue.aliases, *catalogue.routes, *catalogue.not_ours})}
    ids |= {id_ for _, id_ in _all_references(catalogue)}
    by_small = {id_.lower(): id_ for id_ in sorted(ids)}
    word = asked.lower().rpartition("/")[2]
    holding = [small for small in by_small if len(word) >= SHORTEST_PART and word in small]
    close = get_close_matches(word, list(by_small), n=NEAREST, cutoff=0.6)
    near = [by_small[small] for small in dict.fromkeys((*close, *sorted(holding, key=len)))][:NEAREST]
    meant = f"Did you mean {', '.join(near)}? " if near else ""
    return f"{meant}`hardening-gate controls` lists all."
