"""What peers and ports of rules reach: addresses, ports, and the ways to say "all"."""

from __future__ import annotations

import time

import pytest

from scanners.native.network.rules import (
    ANY_ADDRESS,
    METADATA,
    Action,
    Direction,
    Peer,
    Ports,
    Reach,
    Rule,
    Span,
    network,
    networks,
)


def peer(*stated: str, excluded: tuple[str, ...] = (), reach: Reach = Reach.ADDRESSES) -> Peer:
    return Peer(path=(), reach=reach, networks=networks(stated), excluded=networks(excluded))


@pytest.mark.parametrize(
    ("stated", "is_any"),
    [
        (("0.0.0.0/0",), True),
        (("::/0",), True),
        (("0.0.0.0/1", "128.0.0.0/1"), True),
        (("0.0.0.0/1", "::/1"), False),
        (("10.0.0.0/8",), False),
        (("no address",), False),
        ((), False),
    ],
)
def test_networks_are_everything_where_together_they_hold_every_address(
    stated: tuple[str, ...],
    is_any: bool,  # noqa: FBT001
) -> None:
    assert peer(*stated).states_any_address is is_any


def test_an_address_is_reached_unless_it_is_excluded() -> None:
    four, six = METADATA
    assert peer("0.0.0.0/0").reaches(four)
    assert not peer("0.0.0.0/0").reaches(six)
    assert not peer("0.0.0.0/0", excluded=("169.254.0.0/16",)).reaches(four)
    assert peer(reach=Reach.EVERYTHING).reaches(six)
    assert not peer(reach=Reach.EVERY_POD).reaches(four)


def test_a_host_bit_or_a_lone_address_is_read_as_the_network_that_it_is() -> None:
    assert str(network("10.1.2.3/8")) == "10.0.0.0/8"
    assert str(network(" 10.1.2.3 ")) == "10.1.2.3/32"
    assert network("10.1.2.300") is None


@pytest.mark.parametrize(
    ("spans", "are_all"),
    [
        ([Span("TCP", 1, 65535)], True),
        ([Span("*", 0, 70000)], True),
        ([Span("TCP", 1001, 65535), Span("TCP", 1, 1000)], True),
        ([Span("TCP", 1, 1000), Span("TCP", 1002, 65535)], False),
        ([Span("UDP", 1, 65535)], False),
        ([], False),
    ],
)
def test_ports_are_all_where_none_of_tcp_is_left_out(spans: list[Span], are_all: bool) -> None:  # noqa: FBT001
    assert Ports(spans=tuple(spans)).are_all is are_all


def test_a_rule_reaches_the_metadata_address_by_http_alone() -> None:
    def rule(ports: Ports | None) -> Rule:
        return Rule(
            path=(), direction=Direction.EGRESS, action=Action.ALLOW, peers=(peer("169.254.0.0/16"),), ports=ports
        )

    assert rule(None).reaches_metadata()
    assert rule(Ports(spans=(Span("TCP", 80, 80),))).reaches_metadata()
    assert not rule(Ports(spans=(Span("UDP", 80, 80), Span("TCP", 443, 443)))).reaches_metadata()
    assert not rule(Ports(spans=(), names=("http",))).reaches_metadata()


def test_thousands_of_networks_cost_no_more_than_sorting_them() -> None:
    many = peer(*(f"10.{number >> 8 & 255}.{number & 255}.0/25" for number in range(0, 60_000, 2)))
    start = time.process_time()
    assert not many.states_any_address
    assert not many.reaches(METADATA[0])
    assert time.process_time() - start < 2
    assert peer(*map(str, ANY_ADDRESS)).states_any_address
