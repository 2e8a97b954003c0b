"""Resources from YAML text, by the product's own reader: what tests of other rooms start from."""

from __future__ import annotations

from manifests.resources import Origin, Registry
from manifests.text.parse import parse
from model.resource import Resource

SOURCE = "manifests:."


def resources(text: str, path: str = "web.yaml", source: str = SOURCE) -> tuple[Resource, ...]:
    """All objects in ``text``; a text that does not parse is a mistake of the test."""
    parsed = parse(text.encode())
    assert not parsed.broken, parsed.broken
    registry = Registry()
    origin = Origin(source=source, path=path)
    found = [each for document in parsed.documents for each in registry.resources(document, origin)]
    assert all(isinstance(each, Resource) for each in found), found
    return tuple(each for each in found if isinstance(each, Resource))
