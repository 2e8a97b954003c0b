"""Where missing commits come from: the checkout's origin, the one protocol that it takes, and who we are there.

Tokens are told to git in its environment: no argument, no file and no message holds one.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from model.errors import EnvironmentBrokenError
from revisions.git import proxies

PROTOCOLS = frozenset({"https", "http", "ssh", "git", "file"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HELPER = re.compile(r"([A-Za-z0-9]+)::")
_USER = re.compile(r"(\w+://)([^/]*)@([^/@]*)")
_HOST = re.compile(r"(?!\.{0,2}/)[^/:]+:")
"""``user@host:path``, as git tells it from a path: a colon before the first slash (git-fetch, GIT URLS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A token, and the only server that it is for."""

    token: str = field(repr=False)
    server: str
    """Such as ``https://github.com``."""

    @property
    def header(self) -> tuple[str, str]:
        """As a setting of git, by which actions/checkout gives its own."""
        return _header(self.server.rstrip("/") + "/", "x-access-token", self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The repository that was cloned."""

    url: str
    """Without credentials."""
    protocol: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Settings of git: ``http.<url>.extraheader`` and its value."""

    def settings(self, *, negotiate: bool) -> tuple[tuple[str, str], ...]:
        """With which git finds ``origin`` and is let in; ``negotiate``: it says what it has already."""
        return (
            ("remote.origin.url", self.url),
            # A token is for the host that is asked; GitLab sends those without `.git` in their URL elsewhere.
            ("http.followRedirects", "false" if self.headers else "initial"),
            ("fetch.negotiationAlgorithm", "default" if negotiate else "noop"),
            *self.headers,
        )

    def environment(self, network: Mapping[str, str]) -> dict[str, str | None]:
        """The variables that open the way there, and no other."""
        return {**proxies(network), "GIT_ALLOW_PROTOCOL": self.protocol}


def read_origin(settings: Sequence[tuple[str, str]], work_tree: Path, credentials: Credentials | None) -> Origin:
    """The origin as the checkout's ``settings`` have it.

    Credentials count where they are for its server; else those count that actions/checkout left, else those in the URL.
    Raises EnvironmentBrokenError where there is none, or one of a protocol that starts programs.
    """
    url = next((value for key, value in settings if key == "remote.origin.url" and value), None)
    if url is None:
        raise EnvironmentBrokenError(
            f"{work_tree} has no remote `origin`, from which missing commits could be fetched.",
            "Name a commit that is there, or add the remote (`git remote add origin URL`).",
        )
    protocol = _protocol(url)
    if protocol == "file" and not url.startswith("file:"):
        url = str(work_tree / url)
    clean, own = _without_credentials(url) if protocol in {"http", "https"} else (url, ())
    if credentials is not None and clean.startswith(credentials.server.rstrip("/") + "/"):
        return Origin(url=clean, protocol=protocol, headers=(credentials.header,))
    return Origin(url=clean, protocol=protocol, headers=tuple(_left(settings, clean)) or own)


def _protocol(url: str) -> str:
    """As git would understand the URL."""
    found = _SCHEME.match(url) or _HELPER.match(url)
    name = found[1].lower() if found else "ssh" if _HOST.match(url) else "file"
    if name not in PROTOCOLS:
        raise EnvironmentBrokenError(
            f"The remote `origin` is reached by {name!r}, which is not used.",
            f"Let `origin` be one of {', '.join(sorted(PROTOCOLS))}, or fetch the commit before this runs.",
        )
    return name


def _left(settings: Sequence[tuple[str, str]], url: str) -> Iterator[tuple[str, str]]:
    """What actions/checkout leaves for later steps, where it is for this URL."""
    for key, value in settings:
        server = key.removeprefix("http.").removesuffix(".extraheader")
        if len(server) == len(key) - len("http..extraheader") and url.startswith(server.rstrip("/") + "/"):
            yield key, value


def _without_credentials(url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The URL without a user, and the header that says the same: git shows URLs in the list of processes."""
    found = _USER.match(url)
    if found is None:
        return url, ()
    scheme, user, host = found.groups()
    clean = f"{scheme}{host}{url[found.end() :]}"
    name, _, password = user.partition(":")
    header = _header(f"{scheme}{host}/", unquote(name), unquote(password))
    return clean, (header,) if password else ()


def _header(server: str, user: str, password: str) -> tuple[str, str]:
    basic = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape")).decode("ascii")
    return f"http.{server}.extraheader", f"AUTHORIZATION: basic {basic}"
