"""What each scalar is was asked of sigs.k8s.io/yaml v1.6 itself, by a program that printed its JSON."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.text import scalars
from manifests.text.scalars import PREFIX, Scalar, Unreadable

PLAIN: Final[dict[str, Scalar]] = {
    "": None,
    "~": None,
    "null": None,
    "nULL": "nULL",
    "y": True,
    "on": True,
    "No": False,
    "OFF": False,
    "tRue": "tRue",
    "0644": 420,
    "08": 8,
    "0o17": 15,
    "0o8": "0o8",
    "0x1F": 31,
    "-0x10": -16,
    "0b11": 3,
    "0b-1": -1,
    "-0b-1": "-0b-1",
    "1_000": 1000,
    "1__0_": 10,
    "0x": "0x",
    "1:30": "1:30",
    "2001-01-01": "2001-01-01",
    "2024-99-99": "2024-99-99",
    "=": "=",
    "<<": "<<",
    "1.0": 1,
    "-0.0": 0,
    ".5": 0.5,
    ".5_0": 0.5,
    ".5__0": ".5__0",
    "1e3": 1000,
    "1e400": "1e400",
    "1.2.3": "1.2.3",
    "9223372036854775807": 9223372036854775807,
    "9223372036854775808": 9.223372036854775808e18,
    "-9223372036854775809": -9223372036854775808,
    "-9223372036854779809": -9223372036854779809.0,
    "0xFFFFFFFFFFFFFFFF": 1.8446744073709551615e19,
    "0xFFFFFFFFFFFFFFFFF": "0xFFFFFFFFFFFFFFFFF",
    "1" * 5000: "1" * 5000,
    "٣": "٣",
    "100m": "100m",
}


@pytest.mark.parametrize(("text", "value"), PLAIN.items())
@pytest.mark.threat("Y6", "Y9")
def test_a_plain_scalar_is_what_kubernetes_reads(text: str, value: Scalar) -> None:
    found = scalars.plain(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".inf", "-.Inf", "+.INF"])
@pytest.mark.threat("Y14")
def test_what_json_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="no number in JSON"):
        scalars.plain(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("1", "1"),
        ("0644", "420"),
        ("yes", "true"),
        ("1.0", "1"),
        ("1.10", "1.1"),
        ("1.5e10", "1.5e+10"),
        ("1000000.5", "1.0000005e+06"),
        ("123456.7", "123456.7"),
        ("0.0001", "0.0001"),
        ("0.00001", "1e-05"),
        ("16777217.0", "1.6777216e+07"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("1e300", ".inf"),
        ("-1e300", "-.inf"),
        ("name", "name"),
        ("2001-01-01", "2001-01-01"),
    ],
)
@pytest.mark.threat("Y9", "Y14")
def test_a_key_becomes_the_text_that_kubernetes_makes_of_it(text: str, key: str) -> None:
    assert scalars.key(text) == key


@pytest.mark.parametrize("text", ["", "~", "null", "18446744073709551615"])
def test_a_key_that_kubernetes_refuses_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        scalars.key(text)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("str", "5", "5"),
        ("int", "5", 5),
        ("float", "5", 5.0),
        ("bool", "yes", True),
        ("null", "", None),
        ("binary", "aGk=", "hi"),
        ("timestamp", "2001-01-01", "2001-01-01"),
        ("set", "5", "5"),
    ],
)
def test_a_tag_decides_the_type(tag: str, text: str, value: Scalar) -> None:
    assert scalars.tagged(f"{PREFIX}{tag}", text) == value


@pytest.mark.parametrize(("tag", "text"), [("int", "x"), ("null", "x"), ("bool", "1"), ("binary", "?"), ("int", "1.5")])
def test_a_tag_that_does_not_fit_is_refused(tag: str, text: str) -> None:
    with pytest.raises(Unreadable):
        scalars.tagged(f"{PREFIX}{tag}", text)


@given(st.integers(min_value=-(1 << 63), max_value=(1 << 63) - 1))
def test_an_integer_of_64_bits_survives(number: int) -> None:
    assert scalars.plain(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_survives(number: float) -> None:
    assert scalars.as_json(number) == number
    assert math.isfinite(float(scalars.as_json(number) or 0))


@given(st.text())
@pytest.mark.threat("Y6")
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (scalars.plain, scalars.key):
        with suppress(Unreadable):
            assert isinstance(read(text), (str, int, float, bool, type(None)))
