"""Web addresses in the one spelling that nobody can read in two ways; all others are refused, never repaired.

No userinfo, no fragment, no ``.`` or ``..``, no escape that hides one, ASCII only; plain ``http`` for loopback alone.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

PORTS: Final = {"https": 443, "http": 80}
OCI: Final = "oci"
LONGEST: Final = 4096
"""Characters; signed addresses of storage have up to two thousand."""
DOCKER_HUB: Final = ("docker.io", "registry-1.docker.io")
"""The name that people write, and the host that answers (Helm and Docker replace it, too)."""

_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?|oci)://(?P<host>[^/?#@:\[\]]*|\[::1\])(?::(?P<port>[0-9]{1,5}))?(?P<path>(?:/[^?#]*)?)"
    r"(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE,
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*|\[::1\]")
_SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*")
_QUERY: Final = re.compile(r"[!$-;=?-\[\]_a-z~|{}^`]*")
_HIDDEN: Final = re.compile(r"%(?:[01][0-9A-F]|2[EF5]|3F|23|5C|7F)", re.IGNORECASE)
"""Escapes of control characters and of ``. / % ? # \\``: what could become another path at the other end."""


class NoAddressError(ValueError):
    """The text is no address that we would ask; the message says why, without the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Scheme ``https`` or ``http``, host in lower case, port always known."""

    scheme: str
    host: str
    port: int
    segments: tuple[str, ...]
    query: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who answers."""
        return self.scheme, self.host, self.port

    @property
    def shown(self) -> str:
        """For people: without the query, which may hold a signature."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}/{'/'.join(self.segments)}"

    def __str__(self) -> str:
        """What is asked."""
        return f"{self.shown}?{self.query}" if self.query else self.shown

    def below(self, *segments: str) -> Address:
        """The address of something in this folder. Raises NoAddressError."""
        kept = self.segments[:-1] if self.segments[-1:] == ("",) else self.segments
        return parse(Address(scheme=self.scheme, host=self.host, port=self.port, segments=(*kept, *segments)).shown)

    def join(self, reference: str) -> Address:
        """What ``reference``, absolute or relative, means here. Raises NoAddressError."""
        if not reference.isascii() or not reference.isprintable() or "\\" in reference:
            raise NoAddressError("it holds characters that no address has")
        try:
            return parse(urljoin(str(self), reference))
        except NoAddressError:
            raise
        except ValueError as error:
            raise NoAddressError("it is no address") from error


def parse(text: str) -> Address:
    """The address that ``text`` spells; of ``oci://HOST/PATH`` that of its API. Raises NoAddressError."""
    if len(text) > LONGEST or not text.isascii():
        raise NoAddressError(f"it is longer than {LONGEST} characters, or holds some that are not ASCII")
    found = _ADDRESS.fullmatch(text)
    if not found:
        raise NoAddressError("it is no https:// or oci:// address, or holds a user name or a fragment")
    scheme, host = found["scheme"].lower(), found["host"].lower()
    if not _HOST.fullmatch(host) or len(host) > 253:
        raise NoAddressError("its host is none")
    segments = _segments(found["path"])
    if scheme == OCI:
        host = DOCKER_HUB[1] if host == DOCKER_HUB[0] else host
        scheme = "http" if is_loopback(host) else "https"
        segments = ("v2", *segments)
    if scheme == "http" and not is_loopback(host):
        raise NoAddressError("plain http is for loopback only")
    if not _QUERY.fullmatch(found["query"] or ""):
        raise NoAddressError("it holds characters that no address has")
    return Address(
        scheme=scheme, host=host, port=_port(found["port"], scheme), segments=segments, query=found["query"] or ""
    )


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by its very spelling; names are not resolved."""
    if host in {"localhost", "[::1]"}:
        return True
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _segments(path: str) -> tuple[str, ...]:
    segments = tuple(path.split("/")[1:])
    for segment in segments:
        if not _SEGMENT.fullmatch(segment):
            raise NoAddressError("it holds characters that no address has")
        if segment in {".", ".."} or _HIDDEN.search(segment):
            raise NoAddressError("its path holds '.', '..' or an escape that could hide one")
    return segments


def _port(text: str | None, scheme: str) -> int:
    port = PORTS[scheme] if text is None else int(text)
    if not 0 < port < 1 << 16:
        raise NoAddressError("its port is none")
    return port
