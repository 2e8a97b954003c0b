"""Label selectors as Kubernetes evaluates them (k8s.io/apimachinery, ``LabelSelectorAsSelector``)."""

from __future__ import annotations

from collections.abc import Mapping

from model.values import Json, mapping, sequence, text


def selects(selector: Json, labels: Mapping[str, Json]) -> bool:
    """Whether a selector matches labels. An empty selector matches all; one that is absent or no mapping, nothing."""
    if not isinstance(selector, dict):
        return False
    wanted = mapping(selector.get("matchLabels"))
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(mapping(expression), labels) for expression in sequence(selector.get("matchExpressions"))
    )


def _holds(expression: Mapping[str, Json], labels: Mapping[str, Json]) -> bool:
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
