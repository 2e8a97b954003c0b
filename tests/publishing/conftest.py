from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from publishing.api import Api
from publishing.client import Client
from publishing.place import Repository
from tests.publishing.server import TOKEN, GitHub, serve

REPOSITORY = Repository(owner="our", name="repo")


@dataclass(slots=True, kw_only=True)
class FakeClock:
    """Time that passes only where somebody waits."""

    time: float = 1_000_000.0
    slept: list[float] = field(default_factory=list)

    def elapsed(self) -> float:
        return self.time

    def epoch(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@pytest.fixture(params=["github.com", "enterprise"])
def hub(request: pytest.FixtureRequest) -> Iterator[GitHub]:
    """Both servers; afterwards every request and answer must have been as described."""
    name, prefix = {"github.com": ("api.github.com", ""), "enterprise": ("ghes-3.17", "/api/v3")}[request.param]
    with serve(name, prefix) as opened:
        yield opened
    assert opened.violations == []


@pytest.fixture
def other() -> Iterator[GitHub]:
    """A host that the token is not for."""
    with serve() as opened:
        yield opened
    assert opened.asked == []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(hub: GitHub, clock: FakeClock) -> Iterator[Client]:
    with client_of(hub, clock) as opened:
        yield opened


def client_of(hub: GitHub, clock: FakeClock) -> Client:
    return Client(api=Api.at(hub.url), token=TOKEN, clock=clock)
