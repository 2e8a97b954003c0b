"""What differs between renderings is masked the same way, whatever came of chance."""

from __future__ import annotations

import pytest

from manifests.helm.masking import Mask
from manifests.text.compose import Document
from manifests.text.parse import parse
from model.values import Json


def documents(text: str) -> list[Document]:
    return parse(text.encode()).documents


def masked(*texts: str) -> tuple[list[Json], tuple[str, ...]]:
    mask = Mask()
    found = mask.documents(documents(texts[0]), [documents(text) for text in texts[1:]])
    return [document.value for document in found], mask.reasons


@pytest.mark.parametrize(
    ("values", "mask"),
    [
        (("job-x7", "job-y8", "job-z9"), "job-masked"),
        (("a-x-test", "a-y-test", "a-y-z-test"), "a-masked-test"),
        (("x", "y", "z"), "masked"),
        (("a-a", "a-a-a", "a"), "a-masked"),
        (("1", "2", "3"), 1),
        (("true", "false", "true"), False),
        (("true", "1", "a"), "masked"),
        (("null", "a", "a"), "masked"),
        (("true", "1", "1"), "masked"),
    ],
)
def test_a_scalar_that_differs_becomes_a_constant(values: tuple[str, ...], mask: Json) -> None:
    found, reasons = masked(*(f"a: {value}\nb: [same]" for value in values))
    assert found == [{"a": mask, "b": ["same"]}]
    assert reasons == ("it renders differently each time: what differs is masked",)


def test_what_is_equal_stays_and_nothing_is_told() -> None:
    assert masked("a: [1, {b: c}]\n---\nd: e", "a: [1, {b: c}]\n---\nd: e") == (
        [{"a": [1, {"b": "c"}]}, {"d": "e"}],
        (),
    )


@pytest.mark.parametrize(
    ("other", "where"),
    [
        ("a: {b: [1, 2]}\n---\nx: y", "the number of documents"),
        ("a: {b: [1]}", "a.b"),
        ("a: {c: [1, 2]}", "a"),
        ("a: {b: x}", "a.b"),
        ("a: x", "a"),
    ],
)
def test_another_shape_is_told_and_not_masked(other: str, where: str) -> None:
    found, reasons = masked("a: {b: [1, 2]}", other)
    assert found == [{"a": {"b": [1, 2]}}]
    assert reasons == (f"it renders differently each time, in a way that cannot be masked: {where}",)
