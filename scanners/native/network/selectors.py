"""Label selectors as Kubernetes and Cilium read them, compiled once into a question about labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from model.values import Json, mapping, sequence, text
from scanners.native.network.truth import UNKNOWN, Label, Lookup, Truth, every, word
from scanners.native.selection import LABELLED_LATER

AUTOMATIC = LABELLED_LATER | {"deployment", "deploymentconfig", "pod-template-generation"}
"""Labels that the controllers of Kubernetes and OpenShift give to pods: no template shows them."""

Question: TypeAlias = Callable[[Lookup], Truth]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selector:
    """A question about labels."""

    holds: Question
    required: tuple[tuple[str, str], ...] = ()
    """Labels that everything which it matches carries, as far as it says so plainly: a way to find them."""
    is_all: bool = False
    """Whether it matches whatever the labels are."""
    keys: frozenset[str] = frozenset()
    """The labels that it asks for."""


EVERYTHING = Selector(holds=lambda _: True, is_all=True)
NOTHING = Selector(holds=lambda _: False)


def label_selector(value: Json, *, absent: Selector, key_of: Callable[[str], str | None] = lambda key: key) -> Selector:
    """A ``LabelSelector`` (meta/v1): empty it matches all, ``absent`` stands for one that is not given.

    ``key_of`` gives the label that a key means; None for one that no pod has.
    """
    if value is None:
        return absent
    if not isinstance(value, dict):
        return NOTHING
    plain = [(key_of(key), word(wanted)) for key, wanted in mapping(value.get("matchLabels")).items()]
    expressions = [mapping(expression) for expression in sequence(value.get("matchExpressions"))]
    asked = [(key_of(text(expression.get("key"))), expression) for expression in expressions]
    questions = [_equals(key, wanted) for key, wanted in plain] + [_expression(key, each) for key, each in asked]
    if not questions:
        return EVERYTHING
    return Selector(
        holds=lambda labels: every(question(labels) for question in questions),
        required=findable((key, wanted) for key, wanted in plain if key is not None and wanted is not None),
        keys=frozenset(key for key, _ in plain if key) | frozenset(key for key, _ in asked if key),
    )


def findable(labels: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those labels that templates show."""
    return tuple((key, value) for key, value in labels if key not in AUTOMATIC)


def _equals(key: str | None, wanted: str | None) -> Question:
    if key is None or wanted is None:
        return lambda _: False
    return lambda labels: equals(labels(key), wanted)


def _expression(key: str | None, expression: Mapping[str, Json]) -> Question:
    """One of ``matchExpressions``; Kubernetes refuses an operator that it does not know."""
    values = frozenset(word(value) for value in sequence(expression.get("values"))) - {None}
    match expression.get("operator"):
        case "In":
            return lambda labels: is_in(_of(labels, key), values)
        case "NotIn":
            return lambda labels: is_not_in(_of(labels, key), values)
        case "Exists":
            return lambda labels: exists(_of(labels, key))
        case "DoesNotExist":
            return lambda labels: is_absent(_of(labels, key))
        case _:
            return lambda _: False


def _of(labels: Lookup, key: str | None) -> Label:
    return None if key is None else labels(key)


def equals(label: Label, wanted: str) -> Truth:
    """Whether a label is there and has that value."""
    return None if label is UNKNOWN else label == wanted


def is_in(label: Label, values: frozenset[str | None]) -> Truth:
    """Whether a label is there and has one of these values."""
    return None if label is UNKNOWN else label is not None and label in values


def is_not_in(label: Label, values: frozenset[str | None]) -> Truth:
    """Whether a label has none of these values; one that is absent has none."""
    return None if label is UNKNOWN else label is None or label not in values


def exists(label: Label) -> Truth:
    """Whether a label is there."""
    return None if label is UNKNOWN else label is not None


def is_absent(label: Label) -> Truth:
    """Whether a label is not there."""
    return None if label is UNKNOWN else label is None
