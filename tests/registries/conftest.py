from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.registries.site import Site, serve


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Site]:
    with serve() as opened:
        yield opened
