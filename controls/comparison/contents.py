"""What an object says, as digests: with what moves at every release masked, and with its names masked as well.

Equal digests without names prove that an object, a container, or an item of one's lists was renamed and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence

import orjson

from controls.comparison.masking import SIGN, masked, masked_whole
from controls.fingerprint import CONTAINERS
from model.audit import AuditedContainer, AuditedResource, Score
from model.resource import Container, Resource, Source, SourceKind
from model.values import FieldPath, Json, mapping, sequence

MASKED_KEYS = frozenset({"helm.sh/chart", "app.kubernetes.io/version", "chart", "version"})
"""Labels and annotations that name a release."""
CHECKSUM = "checksum/"
"""How annotations begin that restart pods when a file has changed."""
MASKED_KEY = re.compile(rf'"(?:{"|".join(map(re.escape, sorted(MASKED_KEYS)))}|{CHECKSUM}[^"]*)":')
"""In JSON, whatever it is a key of."""
NAMES = frozenset({"name", "namespace", "generateName"})
"""Fields of ``metadata`` that are no content."""
LITERAL = frozenset(
    {"image", "command", "args", "exec", "value", "path", "mountPath", "subPath", "workingDir", "data", "stringData"}
)
"""Fields that mean what they say, and refer to no object."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
NO_STEMS: Mapping[str, str] = {}
HASHED = re.compile(r'"[^"\\]+-[a-z0-9]{10}"')
"""Text that may be a name with a hash, in JSON."""


class Contents:
    """Remembers the resources of one side; the hashes that kustomize appends to names are no content either."""

    def __init__(self, sources: Iterable[Source], resources: Iterable[Resource]) -> None:
        self._charts = {source.id: source.name for source in sources if source.kind is SourceKind.HELM}
        self._stems: dict[str, dict[str, str]] = {}
        """By source: stems by name, both as JSON writes them."""
        for each in resources:
            if each.stem:
                self._stems.setdefault(each.source, {})[_quoted(each.ref.name)] = _quoted(each.stem)

    def audited(self, resource: Resource, score: Score) -> AuditedResource:
        """What the audit keeps of it."""
        stems = self._stems.get(resource.source, {})
        names = (resource.ref.name, resource.ref.namespace, self._charts.get(resource.source, ""))
        bare = _bare(resource)
        is_plain = not stems and MASKED_KEY.search(_canonical(bare)) is None
        if not is_plain:
            bare = mapping(_without_masked(bare))
        return AuditedResource(
            id=resource.id,
            source=resource.source,
            ref=resource.ref,
            version=resource.api_version.rpartition("/")[2],
            digest=resource.digest if is_plain else digest(resource, stems),
            location=resource.location,
            score=score,
            stem=resource.stem,
            contents=_digests(bare, names, stems, [pod.path for pod in resource.pods]),
            containers=tuple(_container(each, names, stems) for each in resource.containers),
        )


def digest(resource: Resource, stems: Mapping[str, str] = NO_STEMS) -> str:
    """``sha256:`` of what an object says, apart from MASKED_KEYS and from the hashes in generated names."""
    return _sha256(_stemmed(_canonical(_without_masked(dict(resource.value))), stems))


def _bare(resource: Resource) -> dict[str, Json]:
    """Without names, and without API version: Kubernetes converts between those of one kind."""
    value = dict(resource.value)
    value.pop("apiVersion", None)
    value["metadata"] = {key: each for key, each in mapping(value.get("metadata")).items() if key not in NAMES}
    return value


def _container(container: Container, names: Sequence[str], stems: Mapping[str, str]) -> AuditedContainer:
    value: dict[str, Json] = {**container.value, "name": f"{SIGN}{container.kind}"}
    return AuditedContainer(key=container.key, contents=_digests(value, (container.name, *names), stems))


def _digests(
    value: dict[str, Json], names: Sequence[str], stems: Mapping[str, str], pods: Sequence[FieldPath] = ()
) -> tuple[str, ...]:
    """Of what it says: as it stands, with the names masked where things refer to each other, and masked everywhere.

    A new name reaches more or less of an object: an image ``nginx`` stays when an object of that name gets another one,
    and so may a volume ``db-data`` of ``db``. The last form stands alone: in place of literal texts, it masks what
    ``pods`` call their volumes, ports and variables. The last digest stands for those that would follow.
    """
    literals: list[Json] = []
    bare = _without_literals(value, literals)
    references = _stemmed(_canonical(bare), stems)
    texts = _stemmed(_canonical(literals), stems)
    words, all_texts = masked(references, names), masked(texts, names)
    forms = [(references, texts), (masked_whole(references, names), texts), (words, texts), (words, all_texts)]
    if [path for path in pods if _mask_inner(bare, path)]:
        forms.append((masked(_stemmed(_canonical(bare), stems), names), texts))
    while len(forms) > 1 and forms[-1] == forms[-2]:
        forms.pop()
    return tuple(_sha256("".join(form)) for form in forms)


def _mask_inner(value: Json, path: FieldPath) -> bool:
    """Put numbers in place of the names that mean something inside of the pod at ``path`` only; False without any.

    Volumes and who mounts them, ports and who probes them, and variables. In a list, since a name is a text.
    """
    for step in path:
        value = mapping(value).get(step) if isinstance(step, str) else None
    pod = mapping(value)
    containers = [mapping(each) for key in sorted(CONTAINERS) for each in sequence(pod.get(key))]
    volumes = _numbered(pod.get("volumes"))
    for container in containers:
        for key in ("volumeMounts", "volumeDevices"):
            for mount in map(mapping, sequence(container.get(key))):
                _renumber(mount, "name", volumes)
    ports = [_numbered(container.get("ports")) for container in containers]
    for container, known in zip(containers, ports, strict=True):
        for probe in PROBES:
            for action in ("httpGet", "tcpSocket"):
                _renumber(mapping(mapping(container.get(probe)).get(action)), "port", known)
    variables = [_numbered(container.get("env")) for container in containers]
    return any((volumes, *ports, *variables))


def _numbered(items: Json) -> Mapping[str, int]:
    """Numbers instead of the names of list items, in their order."""
    numbers: dict[str, int] = {}
    for item in map(mapping, sequence(items)):
        name = item.get("name")
        if isinstance(name, str):
            numbers.setdefault(name, len(numbers))
            _renumber(item, "name", numbers)
    return numbers


def _renumber(item: dict[str, Json], field: str, numbers: Mapping[str, int]) -> None:
    name = item.get(field)
    if isinstance(name, str) and name in numbers:
        item[field] = [numbers[name]]


def _without_literals(value: dict[str, Json], literals: list[Json]) -> dict[str, Json]:
    """The value without what its LITERAL fields say, which goes to ``literals``."""
    kept: dict[str, Json] = {}
    for key in sorted(value):
        item = value[key]
        if key in LITERAL:
            literals.append(item)
        elif isinstance(item, dict):
            kept[key] = _without_literals(item, literals)
        elif isinstance(item, list):
            kept[key] = _items_without_literals(item, literals)
        else:
            kept[key] = item
    return kept


def _items_without_literals(items: list[Json], literals: list[Json]) -> list[Json]:
    return [
        _without_literals(item, literals)
        if isinstance(item, dict)
        else _items_without_literals(item, literals)
        if isinstance(item, list)
        else item
        for item in items
    ]


def _stemmed(text: str, stems: Mapping[str, str]) -> str:
    """``text`` with references to generated objects as if their names had no hash."""
    return HASHED.sub(lambda found: stems.get(found[0], found[0]), text) if stems else text


def _canonical(value: Json) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:  # a lone surrogate, which is no text
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _sha256(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


def _is_masked(key: Json) -> bool:
    return isinstance(key, str) and (key in MASKED_KEYS or key.startswith(CHECKSUM))


def _without_masked(value: Json, parent: str = "") -> Json:
    if isinstance(value, dict):
        return {
            key: _without_masked(item, key)
            for key, item in value.items()
            if not (parent in {"labels", "annotations"} and _is_masked(key))
        }
    if isinstance(value, list):
        return [_without_masked(item) for item in value]
    return value
