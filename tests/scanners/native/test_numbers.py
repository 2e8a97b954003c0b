from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanners.native.numbers import Amount, amount, quantity, whole


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, Amount(0, is_percent=False)),
        ("0", Amount(0, is_percent=False)),
        ("50%", Amount(50, is_percent=True)),
        ("-1", Amount(-1, is_percent=False)),
        (True, None),
        ("", None),
        ("50 %", None),
        ("1.5", None),
        ("9" * 5000, None),
        (1.0, None),
        (None, None),
        ([], None),
    ],
)
def test_an_amount_is_a_count_or_a_share(value: Any, expected: Amount | None) -> None:
    assert amount(value) == expected


def test_a_share_is_rounded_up() -> None:
    assert [Amount(50, is_percent=True).of(total) for total in (0, 1, 2, 3)] == [0, 1, 1, 2]
    assert Amount(2, is_percent=False).of(10) == 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", "1"),
        (1, "1"),
        (0.5, "0.5"),
        (".5", "0.5"),
        ("500m", "0.5"),
        ("1000m", "1"),
        ("1Ki", "1024"),
        ("1.5Gi", "1610612736"),
        ("1Ei", "1152921504606846976"),
        ("1k", "1000"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("-1", "-1"),
        ("100n", "0.0000001"),
    ],
)
def test_a_quantity_is_exact(value: Any, expected: str) -> None:
    assert quantity(value) == Decimal(expected)


@pytest.mark.parametrize("value", ["", "1 Gi", "1gi", "Gi", "1e", "1e999", "$(CPU)", "1" * 400, True, None, [], {}])
def test_what_is_no_quantity_is_none(value: Any) -> None:
    assert quantity(value) is None


@given(st.text(max_size=40) | st.floats() | st.integers() | st.from_regex(r"[0-9.]{1,30}[eEmkKiMG]{0,3}[0-9]{0,3}"))
def test_no_value_raises(value: Any) -> None:
    whole(value)
    amount(value)
    quantity(value)
