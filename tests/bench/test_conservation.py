"""Nothing that a scanner reports gets lost, counted in its own reports and in the finished audit."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.conservation import Balance, look
from tests.conftest import real_toolbox

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"


@pytest.fixture(scope="module")
def weighed() -> dict[str, Balance]:
    tree, _, balances = look(["."], SHOP, real_toolbox().home)
    assert len(tree.resources) > 40
    assert tree.failures == ()
    return {balance.scanner: balance for balance in balances}


@pytest.mark.parametrize("scanner", ["native", "polaris", "kube-score", "trivy"])
def test_what_a_scanner_reported_is_a_witness_or_a_listed_drop(weighed: dict[str, Balance], scanner: str) -> None:
    balance = weighed[scanner]
    assert balance.wrong == ()
    assert balance.holds
    assert balance.witnesses > 100
