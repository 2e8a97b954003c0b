"""GitHub's own description of its interface as a judge of requests and answers, and as a maker of valid ones."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator, FormatChecker

OPENAPI = Path(__file__).with_name("openapi")
FORMATS = FormatChecker(formats=())
REFUSALS = frozenset({401, 403, 404, 429, 500, 502, 503})
"""Statuses that every endpoint may answer with; the description names them for some only."""


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(value: object) -> bool:
    return not isinstance(value, str) or dt.datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one endpoint, and the values of the names in its path."""

    method: str
    template: str
    names: Mapping[str, str]
    described: Mapping[str, Any]


class Contract:
    """One description."""

    def __init__(self, name: str) -> None:
        self.whole = json.loads((OPENAPI / f"{name}.json").read_text(encoding="utf-8"))
        self.schemas = plain(self.whole["components"])
        self._validators: dict[str, Draft202012Validator] = {}

    def operation(self, method: str, path: str) -> Operation | None:
        for template, item in self.whole["paths"].items():
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
            found = re.fullmatch(pattern, path)
            if found and method.lower() in item:
                names = {key: unquote(value) for key, value in found.groupdict().items()}
                return Operation(method=method, template=template, names=names, described=item[method.lower()])
        return None

    def wrong_request(
        self, operation: Operation, query: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> Iterator[str]:
        """What the description, or GitHub's rules for every request, object to."""
        described = [self.resolve(each) for each in operation.described.get("parameters", ())]
        known = {each["name"]: each for each in described}
        for name, value in operation.names.items():
            yield from self.wrong(typed(known[name]["schema"], value), known[name]["schema"], f"path {name}")
        for name, value in query.items():
            if name not in known:
                yield f"query {name} is not described"
            else:
                yield from self.wrong(typed(known[name]["schema"], value), known[name]["schema"], f"query {name}")
        yield from (f"no header {name}" for name in ("User-Agent", "Accept", "Authorization") if name not in headers)
        if headers.get("X-GitHub-Api-Version") != "2022-11-28":
            yield "no version of the interface"
        yield from self.wrong_body(operation, headers, body)

    def wrong_body(self, operation: Operation, headers: Mapping[str, str], body: bytes) -> Iterator[str]:
        described = operation.described.get("requestBody")
        if described is None:
            if body:
                yield "a body where none is described"
            return
        if headers.get("Content-Type") != "application/json":
            yield "the body is not said to be JSON"
        schema = described["content"]["application/json"]["schema"]
        value = json.loads(body)
        yield from (f"body: {key} is not described" for key in value if key not in schema["properties"])
        yield from self.wrong(value, schema, "body")

    def wrong_answer(self, operation: Operation, status: int, value: object) -> Iterator[str]:
        described = operation.described["responses"].get(str(status))
        if described is None:
            if status not in REFUSALS:
                yield f"answer {status} is not described"
            return
        content = self.resolve(described).get("content", {}).get("application/json")
        if content is not None:
            yield from self.wrong(value, content["schema"], f"answer {status}")

    def wrong(self, value: object, schema: Mapping[str, Any], where: str) -> Iterator[str]:
        for error in self.validator(json.dumps(schema)).iter_errors(value):
            yield f"{where}: {error.json_path}: {error.message[:300]}"

    def validator(self, schema: str) -> Draft202012Validator:
        if schema not in self._validators:
            whole = {**plain(json.loads(schema)), "components": self.schemas}
            self._validators[schema] = Draft202012Validator(whole, format_checker=FORMATS)
        return self._validators[schema]

    def resolve(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in value:
            return value
        _, _, kind, key = value["$ref"].split("/")
        found: Mapping[str, Any] = self.whole["components"][kind][key]
        return found

    def example(self, name: str) -> dict[str, Any]:
        """The least that the schema of this name allows."""
        value = self.least({"$ref": f"#/components/schemas/{name}"})
        assert isinstance(value, dict)
        return value

    def least(self, described: Mapping[str, Any]) -> Any:
        schema = self.resolve(described)
        if schema.get("nullable"):
            return None
        for key in ("anyOf", "oneOf", "allOf"):
            if key in schema:
                return self.least(schema[key][0])
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "object")
        if kind == "object":
            properties = schema.get("properties", {})
            return {key: self.least(properties.get(key, {})) for key in schema.get("required", ())}
        strings = {"date-time": "2026-01-01T00:00:00Z", "uri": "https://github.example/x"}
        simple = {"integer": 1, "number": 1, "boolean": False, "array": [], "string": "x"}
        return strings.get(schema.get("format", ""), simple[kind]) if kind == "string" else simple[kind]


@cache
def contract(name: str) -> Contract:
    return Contract(name)


def typed(schema: Mapping[str, Any], value: str) -> object:
    """A word of an address as the type that is described."""
    return int(value) if schema.get("type") == "integer" and value.isdigit() else value


def plain(value: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable`` becomes a choice."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    rest = {key: plain(each) for key, each in value.items() if not (key == "nullable" and each is True)}
    return {"anyOf": [rest, {"type": "null"}]} if value.get("nullable") is True else rest
