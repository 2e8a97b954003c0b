"""Label selectors as Kubernetes evaluates them (k8s.io/apimachinery, ``LabelSelectorAsSelector``, ``labels.Set``)."""

from __future__ import annotations

from collections.abc import Mapping

from model.values import Json, mapping, sequence, text


def selects(selector: Json, labels: Mapping[str, Json]) -> bool:
    """Whether a selector matches labels. An empty selector matches all; one that is absent or no mapping, nothing."""
    if not isinstance(selector, dict):
        return False
    return carries(labels, mapping(selector.get("matchLabels"))) and all(
        holds(mapping(expression), labels) for expression in sequence(selector.get("matchExpressions"))
    )


def carries(labels: Mapping[str, Json], wanted: Mapping[str, Json]) -> bool:
    """Whether ``labels`` hold all of ``wanted``, as the plain selector of a Service asks; with no wish, yes."""
    return all(key in labels and labels[key] == value for key, value in wanted.items())


def holds(expression: Mapping[str, Json], labels: Mapping[str, Json]) -> bool:
    """Whether one of ``matchExpressions`` is true of labels; Kubernetes refuses an operator that it does not know."""
    key, values = text(expression.get("key")), sequence(expression.get("values"))
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case _:
            return False
