"""From a field of a rendered object to the line of a template."""

from __future__ import annotations

import pytest

from model.resource import Location, Precision, Printed, Written
from model.values import FieldPath, Mark


@pytest.mark.parametrize(
    ("text", "step", "column"),
    [
        ("  key: \0", "key", 3),
        ("- key: 1", "key", 3),
        ("{a: 1, key : 2}", "key", 8),
        ('"key": 1', "key", 1),
        ("\0 key: 1", "key", 1),
        ("other-key: 1", "key", None),
        ("my.key: 1", "key", None),
        ("keys: 1", "key", None),
        ("\0: key", "key", None),
        ("", "key", None),
        ("  - a", 0, 3),
        ("  \0", 0, None),
        ("a.b/c: 1", "a.b/c", 1),
        ("axb: 1", "a.b", None),
    ],
)
def test_a_key_is_found_on_its_line(text: str, step: str | int, column: int | None) -> None:
    assert Written(file=0, line=1, text=text).column(step) == column


SPEC = Mark(2, 1, 3, 3, {"a": Mark(3, 3, 3, 6, None), "list": Mark(4, 3, 5, 5, {0: Mark(5, 7, 5, 7, None)})})
PRINTED = Printed(
    marks=Mark(1, 1, 1, 1, {"kind": Mark(1, 1, 1, 7, None), "spec": SPEC}),
    lines={
        2: Written(file=0, line=20, text="spec:"),
        3: Written(file=1, line=30, text="  a: \0"),
        5: Written(file=0, line=40, text=""),
    },
    files=("web.yaml", "_helpers.tpl"),
)


@pytest.mark.parametrize(
    ("path", "where"),
    [
        (("spec",), ("web.yaml", 20, 1, Precision.EXACT)),
        (("spec", "a"), ("_helpers.tpl", 30, 3, Precision.EXACT)),
        (("spec", "absent"), ("web.yaml", 20, 1, Precision.ENCLOSING)),
        (("spec", "list"), ("web.yaml", 20, 1, Precision.ENCLOSING)),
        (("spec", "list", 0), ("web.yaml", 40, 1, Precision.ENCLOSING)),
        (("spec", "list", 0, "b"), ("web.yaml", 40, 1, Precision.ENCLOSING)),
        (("kind",), None),
        (("absent",), None),
        ((), None),
    ],
)
def test_the_nearest_parent_whose_line_is_known_stands_for_a_field(
    path: FieldPath, where: tuple[str, int, int, Precision] | None
) -> None:
    location = PRINTED.locate(path)
    if where is None:
        assert location is None
    else:
        file, line, column, precision = where
        assert location == Location(path=file, line=line, column=column, precision=precision)
