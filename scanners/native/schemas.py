"""Kubernetes' own schemas as something that is quickly walked: which fields a kind has, and of which types.

It knows no custom resources and judges nothing. Source: the OpenAPI definitions of each Kubernetes release, which the
package ``kubernetes-validate`` carries as data; none of its code is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from model.errors import EnvironmentBrokenError

PACKAGE, FOLDER = "kubernetes_validate", "kubernetes-json-schema"
RELEASE = re.compile(r"v(\d+)\.(\d+)\.0-local")
KIND = re.compile(r"[A-Za-z][A-Za-z0-9]{0,79}")
VERSION = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,99}/)?v[a-z0-9]{1,20}")
"""What may become part of a file's name."""

Release = tuple[int, int]
"""Of Kubernetes: (1, 34)."""

QUANTITY = re.compile(r"[-+]?[0-9]*(?:\.[0-9]*)?(?:[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?", re.ASCII)
"""apimachinery ``resource.ParseQuantity``; a quantity without digits is 0, an empty one none."""
BLANKS = " \t\n\r\f\v"
BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
"""Go's ``base64.StdEncoding``, which overlooks line breaks and leftover bits."""
INT32, INT64 = 1 << 31, 1 << 63


@dataclass(slots=True, eq=False)
class Node:
    """What Kubernetes reads in one place. Where it says nothing of what is inside, anything may be."""

    name: str
    """Of the definition without its group (``PodSpec``); empty for a place that has none of its own."""
    wants: str
    """In words: ``a string``."""
    accepts: frozenset[type]
    """Of Python: exactly these, None always among them."""
    refuses: Callable[[Any], bool] | None = None
    """For values of an accepted type: whether Kubernetes cannot read this one all the same."""
    fields: Mapping[str, Node] | None = None
    """Of an object, all that there are."""
    inner: Node | None = None
    """Of a list the items, of a map the values."""


def _accept(*types: type) -> frozenset[type]:
    return frozenset((type(None), *types))


def _is_no_quantity(value: Any) -> bool:  # noqa: ANN401 a string or a number
    return isinstance(value, str) and (not value.strip() or not QUANTITY.fullmatch(value.strip(BLANKS)))


def _is_no_base64(value: str) -> bool:
    return not BASE64.fullmatch(value.replace("\n", "").replace("\r", ""))


def _exceeds(limit: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not -limit <= value < limit


ANYTHING = Node("", "anything", _accept(bool, int, float, str, list, dict))
STRING = Node("", "a string", _accept(str))
SCALARS: Mapping[tuple[str, str], Node] = {
    ("boolean", ""): Node("", "true or false", _accept(bool)),
    ("integer", ""): Node("", "a whole number", _accept(int), _exceeds(INT64)),
    ("integer", "int32"): Node("", "a whole number of 32 bits", _accept(int), _exceeds(INT32)),
    ("integer", "int64"): Node("", "a whole number", _accept(int), _exceeds(INT64)),
    ("number", ""): Node("", "a number", _accept(int, float)),
    ("string", ""): STRING,
    ("string", "byte"): Node("", "base64", _accept(str), _is_no_base64),
}
"""By type and format; a format that is not listed says nothing."""
SPECIAL: Mapping[str, Node] = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": Node(
        "Quantity", "a quantity such as 100m or 64Mi", _accept(str, int, float), _is_no_quantity
    ),
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": Node(
        "IntOrString", "a whole number or a string", _accept(int, str), _exceeds(INT32)
    ),
}
"""Types that Kubernetes reads with code of its own."""


class Schemas:
    """The schemas of one Kubernetes release."""

    def __init__(self, release: Release, definitions: Mapping[str, Any]) -> None:
        self.release = release
        self._definitions = definitions
        self._compiled: dict[str, Node] = dict(SPECIAL)
        self._kinds = {
            ("/".join(filter(None, (each["group"], each["version"]))), each["kind"]): name
            for name, definition in definitions.items()
            for each in definition.get("x-kubernetes-group-version-kind", ())
        }

    @property
    def version(self) -> str:
        """``major.minor``."""
        return named(self.release)

    @property
    def kinds(self) -> Iterable[tuple[str, str]]:
        """Every (apiVersion, kind) that this release serves."""
        return self._kinds.keys()

    def of(self, api_version: str, kind: str) -> Node | None:
        """The schema of an object; None for what this release does not serve: custom resources, removed versions."""
        name = self._kinds.get((api_version, kind))
        return None if name is None else self._definition(name)

    def versions(self, group: str, kind: str) -> tuple[str, ...]:
        """The versions of a kind in its group that this release serves, the most stable one first."""
        found = [
            api_version for api_version, served in self._kinds if served == kind and group_of(api_version) == group
        ]
        return tuple(sorted(found, key=stability, reverse=True))

    def _definition(self, name: str) -> Node:
        """Definitions refer to each other, some to themselves: a node is known before it is filled."""
        node = self._compiled.get(name)
        if node is None:
            node = self._compiled[name] = self._node(self._definitions[name], name.rpartition(".")[2])
            properties = self._definitions[name].get("properties")
            if properties is not None:
                node.fields = {field: self._node(schema) for field, schema in properties.items()}
        return node

    def _node(self, schema: Mapping[str, Any], name: str = "") -> Node:
        if "$ref" in schema:
            return self._definition(schema["$ref"].rpartition("/")[2])
        match _type(schema):
            case "array":
                return Node(name, "a list", _accept(list), inner=self._node(schema.get("items", {})))
            case "object":
                values = schema.get("additionalProperties")
                inner = self._node(values) if isinstance(values, dict) else None
                return Node(name, "a mapping", _accept(dict), inner=inner)
            case "":
                return ANYTHING
            case scalar:
                return SCALARS.get((scalar, schema.get("format", ""))) or SCALARS[scalar, ""]


def _type(schema: Mapping[str, Any]) -> str:
    """The only type beside null; empty where the schema leaves it open."""
    stated = schema.get("type", ())
    types = [stated] if isinstance(stated, str) else [each for each in stated if each != "null"]
    return str(types[0]) if len(types) == 1 else ""


@lru_cache(maxsize=64)
def schemas_for(kube_version: str) -> Schemas:
    """The schemas of a Kubernetes version (``major.minor``); of the nearest one where it is older or newer than all.

    An empty version stands for the newest. Raises EnvironmentBrokenError where the data is not installed.
    """
    return _load(nearest(kube_version))


def nearest(kube_version: str) -> Release:
    """The release whose schemas stand for a version."""
    known = releases()
    wanted = release_of(kube_version) if kube_version else known[-1]
    return max((each for each in known if each <= wanted), default=known[0])


def release_of(kube_version: str) -> Release:
    """(1, 34) of ``1.34``."""
    major, minor = kube_version.split(".")[:2]
    return int(major), int(minor)


def named(release: Release) -> str:
    """``1.34`` of (1, 34)."""
    return f"{release[0]}.{release[1]}"


@cache
def releases() -> tuple[Release, ...]:
    """All releases that there are schemas of, the oldest first."""
    found = (RELEASE.fullmatch(entry.name) for entry in _data().iterdir())
    return tuple(sorted((int(match[1]), int(match[2])) for match in found if match))


@cache
def last_served(api_version: str, kind: str, before: Release) -> Release | None:
    """The newest release older than ``before`` that served this version of a kind; None where there is none.

    It opens one small file of a release instead of all its definitions.
    """
    if not (KIND.fullmatch(kind) and VERSION.fullmatch(api_version)):
        return None
    group, _, version = api_version.rpartition("/")
    words = (kind.lower(), group.partition(".")[0], version)
    name = f"{'-'.join(filter(None, words))}.json"
    wanted = {"group": group, "kind": kind, "version": version}
    older = (release for release in reversed(releases()) if release < before)
    return next((release for release in older if wanted in _kinds_in(_folder(release) / name)), None)


def _kinds_in(file: Path) -> list[dict[str, str]]:
    """What a file of one definition says that it is about; nothing where there is no such file."""
    if not file.is_file():
        return []
    stated: list[dict[str, str]] = json.loads(file.read_bytes()).get("x-kubernetes-group-version-kind", [])
    return stated


@cache
def _load(release: Release) -> Schemas:
    content = json.loads((_folder(release) / "_definitions.json").read_bytes())
    return Schemas(release, content["$defs"])


@cache
def _data() -> Path:
    """The folder of the data, found without a run of the package's code, which imports much."""
    spec = find_spec(PACKAGE)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place) / FOLDER
        if folder.is_dir():
            return folder
    raise EnvironmentBrokenError(
        "the schemas of Kubernetes are not installed",
        "Install kubernetes-validate as requirements/runtime.txt pins it.",
    )


def _folder(release: Release) -> Path:
    return _data() / f"v{named(release)}.0-local"


def group_of(api_version: str) -> str:
    """``apps`` of ``apps/v1``, empty for the core group."""
    return api_version.rpartition("/")[0]


STAGES = {"alpha": 0, "beta": 1, "": 2}


def stability(api_version: str) -> tuple[int, int, int]:
    """To sort versions of a group: stable ones last, then beta, then alpha; an unknown shape comes first."""
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", api_version.rpartition("/")[2])
    if match is None:
        return (-1, 0, 0)
    return STAGES[match[2] or ""], int(match[1]), int(match[3] or 0)


def is_stable(api_version: str) -> bool:
    """Whether a version is neither alpha nor beta."""
    return stability(api_version)[0] == STAGES[""]


def within(node: Node) -> Iterator[tuple[str, Node]]:
    """The named places right below an object, those of its lists and maps included: ``containers[]``."""
    for name, child in (node.fields or {}).items():
        below, step = child, name
        while below.inner is not None:
            below, step = below.inner, f"{step}[]"
        yield step, below
