"""The catalogue of controls, read from the data files beside it, and the way from a scanner's rule to a control."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.control import Applies, Control, Severity, Subject
from model.finding import Finding
from model.policy import Policy

DATA = Path(__file__).with_name("catalogue")
RULES_FILE = "rules.json"
UNMAPPED = "unmapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One rule stands for several controls: the finding's own text says which."""

    contains: str
    control: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All controls that count in this run, and every rule id that we know."""

    controls: Mapping[str, Control]
    digest: str
    """``sha256:`` of the data files, before any policy."""
    aliases: Mapping[tuple[str, str], tuple[str, ...]]
    """(scanner, rule) to ids of controls."""
    routes: Mapping[tuple[str, str], tuple[Route, ...]]
    not_ours: Mapping[tuple[str, str], str]
    """(scanner, rule) to the reason why it is no control of ours."""
    severities: Mapping[str, Mapping[str, Severity]]
    """By scanner: its own word for a severity to ours."""
    ignored: Mapping[str, str]
    """Controls that the policy leaves out, with the reason."""
    baseline_only: bool = False
    """Judge by the baseline Pod Security Standard and nothing stricter."""

    def of_finding(self, scanner: str, finding: Finding) -> tuple[str, ...]:
        """Ids of the controls that a finding fails; empty for a rule that is unknown or not ours."""
        rule = (scanner, finding.rule)
        routed = tuple(route.control for route in self.routes.get(rule, ()) if route.contains in finding.message)
        return routed or self.aliases.get(rule, ())

    def of_passed(self, scanner: str, rule: str) -> tuple[str, ...]:
        """Ids of all controls that a rule could have failed: it passed them all."""
        routed = (route.control for route in self.routes.get((scanner, rule), ()))
        return tuple(dict.fromkeys((*self.aliases.get((scanner, rule), ()), *routed)))

    def within_reach(self, scanners: Iterable[str]) -> frozenset[str]:
        """Ids of the controls that one of these scanners has a rule for."""
        wanted = set(scanners)
        listed = {id_ for (scanner, _), ids in self.aliases.items() if scanner in wanted for id_ in ids}
        routed = {route.control for (scanner, _), rows in self.routes.items() if scanner in wanted for route in rows}
        return frozenset(listed | routed)

    def knows(self, scanner: str, rule: str) -> bool:
        """Whether the rule is listed at all."""
        key = (scanner, rule)
        return key in self.aliases or key in self.routes or key in self.not_ours

    def simple(self, scanner: str, rule: str) -> Control | None:
        """The one control of a rule that needs no look at its text; None for all other rules."""
        key = (scanner, rule)
        ids = self.aliases.get(key, ())
        return None if len(ids) != 1 or key in self.routes or key in self.not_ours else self.controls.get(ids[0])

    def unmapped(self, scanner: str, rule: str, word: str) -> Control:
        """A control made for a rule that is not listed: gated by severity, not scored. ``word``: the scanner's own."""
        return Control(
            id=f"{UNMAPPED}/{scanner}/{rule}",
            title=f"{scanner} reports {rule}, which the catalogue does not know yet",
            category=UNMAPPED,
            severity=self.severities.get(scanner, {}).get(word, Severity.MEDIUM),
            subject=Subject.RESOURCE,
            applies=Applies(kinds=frozenset({"*"})),
            why="A newer version of the scanner found something that this version of the product has no text for.",
            remedy=f"Read what {scanner} says about {rule}, and report the rule to us.",
            compliance={},
            rules={scanner: (rule,)},
            unmapped=True,
        )

    def with_unmapped(self, ids: Iterable[str]) -> Mapping[str, Control]:
        """All controls, and those that stored results name as ``unmapped/SCANNER/RULE``."""
        named = (id_.split("/", 2) for id_ in sorted(set(ids)) if id_.startswith(f"{UNMAPPED}/"))
        made = (self.unmapped(scanner, rule, "") for _, scanner, rule in named)
        return {**self.controls, **{control.id: control for control in made}}

    def under(self, policy: Policy) -> Catalogue:
        """The catalogue as a policy wants it: controls off, other severities, only some frameworks."""
        ignored = dict.fromkeys(policy.off, "switched off in the configuration")
        if policy.frameworks:
            for control in self.controls.values():
                if not any(_in_framework(control, framework) for framework in policy.frameworks):
                    ignored.setdefault(control.id, f"outside of {', '.join(policy.frameworks)}")
        controls = {
            id_: replace(control, severity=policy.severities.get(id_, control.severity))
            for id_, control in self.controls.items()
            if id_ not in ignored
        }
        baseline_only = set(policy.frameworks) == {"pss-baseline"}
        return replace(self, controls=controls, ignored=ignored, baseline_only=baseline_only)


def load(folder: Path = DATA) -> Catalogue:
    """Read the data files. They are ours: a mistake in them raises, tests keep them right."""
    files = sorted(folder.glob("*.json"))
    contents = {file.name: file.read_bytes() for file in files}
    digest = hashlib.sha256(b"\0".join(contents[name] for name in sorted(contents))).hexdigest()
    rules = json.loads(contents.pop(RULES_FILE))
    controls = {control.id: control for content in contents.values() for control in map(_control, json.loads(content))}
    return Catalogue(
        controls=controls,
        digest=f"sha256:{digest}",
        aliases=_aliases(controls.values()),
        routes=_routes(rules["routes"]),
        not_ours={(row["scanner"], row["rule"]): row["reason"] for row in rules["not_ours"]},
        severities={
            scanner: {word: Severity(severity) for word, severity in words.items()}
            for scanner, words in rules["severities"].items()
        },
        ignored={},
    )


def _control(data: dict[str, Any]) -> Control:
    applies = data["applies"]
    return Control(
        id=data["id"],
        title=data["title"],
        category=data["category"],
        severity=Severity(data["severity"]),
        subject=Subject(data["subject"]),
        applies=Applies(
            kinds=frozenset(applies["kinds"]),
            containers=frozenset(applies.get("containers", ())),
            when=tuple(applies.get("when", ())),
        ),
        why=data["why"],
        remedy=data["remedy"],
        compliance={framework: tuple(ids) for framework, ids in data["compliance"].items()},
        rules={scanner: tuple(ids) for scanner, ids in data["rules"].items()},
        each_field=data.get("each_field", False),
    )


def _aliases(controls: Iterable[Control]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for control in controls:
        for scanner, rules in control.rules.items():
            for rule in rules:
                found[scanner, rule] = (*found.get((scanner, rule), ()), control.id)
    return found


def _routes(rows: Iterable[Mapping[str, str]]) -> dict[tuple[str, str], tuple[Route, ...]]:
    found: dict[tuple[str, str], tuple[Route, ...]] = {}
    for row in rows:
        key = (row["scanner"], row["rule"])
        found[key] = (*found.get(key, ()), Route(contains=row["contains"], control=row["control"]))
    return found


def _in_framework(control: Control, wanted: str) -> bool:
    """Whether a control serves a framework: ``cis`` is any version, ``cis-1.12`` one; restricted holds baseline."""
    names = set(control.compliance)
    if wanted == "pss-restricted":
        return not names.isdisjoint({"pss-baseline", "pss-restricted"})
    return wanted in names or any(name.startswith(f"{wanted}-") for name in names)
