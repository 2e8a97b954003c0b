from __future__ import annotations

from pathlib import Path

import pytest

from settings import ScanSettings, parse

HOME = {"HOME": "/home/dev"}


def scan(**environment: str) -> ScanSettings:
    wanted = parse(["scan"], {**HOME, **environment}, terminals=(False, False))
    assert isinstance(wanted, ScanSettings)
    return wanted


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"HARDENING_GATE_HOME": "/opt/gate", "XDG_CACHE_HOME": "/x"}, "/opt/gate"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/hardening-gate"),
        ({"XDG_CACHE_HOME": ""}, "/home/dev/.cache/hardening-gate"),
    ],
)
def test_the_tools_lie_where_the_environment_says(environment: dict[str, str], home: str) -> None:
    assert scan(**environment).home == Path(home)


def test_colour_needs_a_terminal_and_obeys_no_color() -> None:
    def colour(*words: str, terminals: tuple[bool, bool] = (True, True), **environment: str) -> bool:
        return parse(["doctor", *words], {**HOME, **environment}, terminals=terminals).colour

    assert colour()
    assert not colour(terminals=(False, True))
    assert not colour("--no-color")
    assert not colour(NO_COLOR="1")
    assert not colour(TERM="dumb")


def test_git_is_told_of_proxies_and_certificates_in_its_own_spelling() -> None:
    assert scan().network == {}
    found = scan(
        HTTPS_PROXY="http://proxy.test:3128",
        http_proxy="http://plain.test",
        NO_PROXY="localhost",
        ALL_PROXY="",
        REQUESTS_CA_BUNDLE="/etc/ca.pem",
        SSL_CERT_FILE="/etc/other.pem",
        SSL_CERT_DIR="/etc/certs",
    ).network
    assert found == {
        "http_proxy": "http://plain.test",
        "https_proxy": "http://proxy.test:3128",
        "no_proxy": "localhost",
        "GIT_SSL_CAINFO": "/etc/ca.pem",
        "GIT_SSL_CAPATH": "/etc/certs",
    }


def test_the_proxy_that_a_client_could_set_is_left_alone() -> None:
    assert scan(HTTP_PROXY="http://evil.test").network == {}


def test_what_git_itself_is_told_wins() -> None:
    assert scan(GIT_SSL_CAINFO="/own.pem", REQUESTS_CA_BUNDLE="/etc/ca.pem").network == {"GIT_SSL_CAINFO": "/own.pem"}


def test_no_variable_of_git_that_starts_something_is_handed_on() -> None:
    assert scan(GIT_SSH_COMMAND="touch x", GIT_PROXY_COMMAND="touch x", GIT_EXEC_PATH="/x", GIT_DIR="/y").network == {}
