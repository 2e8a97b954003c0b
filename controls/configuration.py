"""From a configuration that was read to policy and sources: checked by its JSON Schema, errors with line and remedy."""

from __future__ import annotations

import datetime as dt
import json
import posixpath
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from model.control import Severity
from model.errors import UsageError
from model.policy import AllowIncomplete, BreakGlass, Gate, PathGate, Policy, UnusedWaivers, Waiver
from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry, SourceEntry
from model.values import FieldPath, Json, Mark, dotted

SCHEMA = Path(__file__).with_suffix(".schema.json")
LONGEST_REASON = 200
FRAMEWORKS = ("cis", "nsa-cisa", "pss-baseline", "pss-restricted", "mitre", "owasp")
OFF = ("off", False)
"""YAML 1.1 reads ``off`` as false: both are accepted."""


class Configuration:
    """One configuration file on its way to a policy; knows where each key stands, for errors."""

    def __init__(self, name: str, value: Json, marks: Mark) -> None:
        self._name = name
        self._marks = marks
        self._value = value

    def policy(self, controls: Collection[str]) -> Policy:
        """The policy. Raises UsageError that names file, line, key and the nearest known word."""
        value = self._valid
        for framework in value.get("frameworks", ()):
            require_framework(framework)
        for position, waiver in enumerate(value.get("waivers", ())):
            self._require_control(waiver["control"], controls, ("waivers", position, "control"))
        for control in value.get("controls", ()):
            self._require_control(control, controls, ("controls", control))
        overrides = value.get("controls", {}).items()
        return Policy(
            gate=_gate(value.get("gate", {})),
            gates=tuple(map(_path_gate, value.get("gates", ()))),
            waivers=tuple(self._waiver(row, position) for position, row in enumerate(value.get("waivers", ()))),
            unused_waivers=UnusedWaivers(value.get("unused_waivers", UnusedWaivers.WARN)),
            severities={control: Severity(word) for control, word in overrides if word not in OFF},
            off=frozenset(control for control, word in overrides if word in OFF),
            frameworks=tuple(value.get("frameworks", ())),
            exclude=tuple(value.get("exclude", ())),
            scanners=tuple(dict.fromkeys(value.get("scanners", Policy().scanners))),
            chart_repositories=tuple(value.get("deps", {}).get("allow", ())),
            break_glass=_break_glass(value["break_glass"]) if "break_glass" in value else None,
        )

    def sources(self) -> tuple[SourceEntry, ...]:
        """What is to be scanned; nothing where everything is to be searched for. Raises UsageError."""
        return tuple(map(_source, self._valid.get("sources", ())))

    @cached_property
    def _valid(self) -> Mapping[str, Any]:
        self._validate()
        return self._value if isinstance(self._value, dict) else {}

    def _validate(self) -> None:
        from jsonschema import Draft202012Validator

        validator = Draft202012Validator(json.loads(SCHEMA.read_bytes()))
        errors = sorted(validator.iter_errors(self._value), key=lambda error: [str(step) for step in error.path])
        for error in errors:
            path = tuple(error.absolute_path)
            if error.validator == "additionalProperties":
                known = error.schema.get("properties", {})
                unknown = next(key for key in error.instance if key not in known)
                raise self._error((*path, unknown), f"unknown key {unknown!r}", _nearest(unknown, known))
            raise self._error(path, _reason(error), 'See docs/usage.md, "Configuration".')

    def _require_control(self, control: str, known: Collection[str], path: FieldPath) -> None:
        if control not in known:
            raise self._error(path, f"there is no control {control!r}", _nearest(control, known))

    def _waiver(self, row: Mapping[str, Any], position: int) -> Waiver:
        expires = row.get("expires")
        try:
            day = None if expires is None else dt.date.fromisoformat(expires)
        except ValueError as error:
            raise self._error(
                ("waivers", position, "expires"), f"{expires!r} is no day ({error})", "Write it as YYYY-MM-DD."
            ) from error
        return Waiver(
            control=row["control"],
            resource=row.get("resource", ""),
            container=row.get("container"),
            path=row.get("path"),
            reason=row["reason"],
            owner=row["owner"],
            expires=day,
        )

    def _error(self, path: FieldPath, reason: str, remedy: str) -> UsageError:
        mark, _ = self._marks.at(path)
        where = f" at {dotted(path)}" if path else ""
        return UsageError(f"{self._name}:{mark.line}: {reason}{where}", remedy)


def require_framework(name: str) -> None:
    """Raise UsageError unless ``name`` is a framework, with or without a version."""
    if not any(name == known or name.startswith(f"{known}-") for known in FRAMEWORKS):
        raise UsageError(f"there is no framework {name!r}", f"Known: {', '.join(FRAMEWORKS)}.")


def threshold(word: str) -> Severity | None:
    """A severity, or None for the word ``none``."""
    return None if word == "none" else Severity(word)


def _gate(row: Mapping[str, Any]) -> Gate:
    default = Gate()
    return Gate(
        fail_under=row.get("fail_under"),
        fail_under_patch=row.get("fail_under_patch"),
        max_drop=row.get("max_drop"),
        fail_on=threshold(row.get("fail_on", "none")),
        fail_on_new=threshold(row["fail_on_new"]) if "fail_on_new" in row else default.fail_on_new,
        allow_incomplete=AllowIncomplete(row.get("allow_incomplete", default.allow_incomplete)),
    )


def _path_gate(row: Mapping[str, Any]) -> PathGate:
    return PathGate(
        paths=tuple(row["paths"]),
        fail_under=row.get("fail_under"),
        fail_under_patch=row.get("fail_under_patch"),
        max_drop=row.get("max_drop"),
        fail_on=threshold(row.get("fail_on", "none")),
        fail_on_new=threshold(row.get("fail_on_new", "none")),
    )


def _break_glass(row: Mapping[str, Any]) -> BreakGlass:
    return BreakGlass(
        label=row["label"], teams=tuple(dict.fromkeys(team.removeprefix("@") for team in row.get("teams", ())))
    )


def _source(row: Mapping[str, Any]) -> SourceEntry:
    match row:
        case {"chart": path}:
            rows = row.get("environments", {}).items()
            environments = tuple(Environment(name=name, files=tuple(files)) for name, files in rows)
            return ChartEntry(path=_clean(path), environments=environments, kube_version=row.get("kube_version"))
        case {"kustomize": path}:
            return KustomizeEntry(path=_clean(path))
        case _:
            return ManifestsEntry(path=_clean(row["manifests"]))


def _clean(path: str) -> str:
    return posixpath.normpath(path)


def _reason(error: Any) -> str:  # noqa: ANN401 jsonschema's ValidationError, imported only where it is needed
    """What is wrong, without repeating much of a file that may be no configuration at all."""
    if error.validator == "type":
        return f"not of type {error.validator_value!r}"
    return str(error.message) if len(error.message) <= LONGEST_REASON else f"does not satisfy {error.validator!r}"


def _nearest(word: str, known: Collection[str]) -> str:
    close = get_close_matches(str(word), known, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known: {', '.join(sorted(known))}." if len(known) < 20 else "The ids stand in controls/catalogue/."
