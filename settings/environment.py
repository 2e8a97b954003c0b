"""What the environment says: where tools and Docker lie, whether to colour, which way leads to the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from settings.values import PROGRAM, DockerRunner

DOCKER_HOST = "unix:///var/run/docker.sock"
"""Where Docker's own client looks when nobody says anything."""
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables by which requests, curl and OpenSSL find certificates."""
PROXIES: Mapping[str, tuple[str, ...]] = {
    "http_proxy": ("http_proxy",),  # curl leaves HTTP_PROXY alone: in CGI a header of the client sets it
    "https_proxy": ("https_proxy", "HTTPS_PROXY"),
    "all_proxy": ("all_proxy", "ALL_PROXY"),
    "no_proxy": ("no_proxy", "NO_PROXY"),
}
"""What curl, and so git, reads, by the spelling that it prefers."""
GIT_CERTIFICATES: Mapping[str, tuple[str, ...]] = {
    "GIT_SSL_CAINFO": ("GIT_SSL_CAINFO", *CERTIFICATES),
    "GIT_SSL_CAPATH": ("GIT_SSL_CAPATH", "SSL_CERT_DIR"),
}


def home(environment: Mapping[str, str]) -> Path:
    """Where the tools lie. Empty variables count as unset, as the XDG base directory specification says."""
    own = environment.get("HARDENING_GATE_HOME")
    if own:
        return Path(own).absolute()
    cache = environment.get("XDG_CACHE_HOME")
    user = environment.get("HOME") or str(Path("~").expanduser())
    return (Path(cache) if cache else Path(user, ".cache")) / PROGRAM


def is_dumb(environment: Mapping[str, str]) -> bool:
    """Whether the terminal can only take plain lines."""
    return environment.get("TERM") == "dumb"


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether nobody wants colours (no-color.org)."""
    return bool(environment.get("NO_COLOR")) or is_dumb(environment)


def docker_runner(environment: Mapping[str, str], image: str) -> DockerRunner:
    """Where Docker's own client looks for the daemon, and what a job of GitHub has mounted into a container action."""
    spare = (environment.get(name) for name in ("RUNNER_TEMP", "HOME"))
    return DockerRunner(
        host=environment.get("DOCKER_HOST") or DOCKER_HOST,
        image=image,
        spare=tuple(Path(folder) for folder in spare if folder),
    )


def first(environment: Mapping[str, str], *names: str) -> str:
    """The first of these variables that says something, else nothing."""
    return next((value for name in names if (value := environment.get(name, ""))), "")


def network(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that git needs to reach a server from here, as it spells them."""
    return dict(_told(environment, {**PROXIES, **GIT_CERTIFICATES}))


def _told(environment: Mapping[str, str], names: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, spelt in names.items() if (value := first(environment, *spelt)))
