"""Where the REST interface lies, and which addresses belong to it: the token goes to these and to no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import quote, urlencode, urljoin, urlsplit

from model.errors import UsageError
from publishing.failure import NotPublishedError, PublishError

LONGEST: Final = 4096
"""Characters of an address that a server names."""
_BASE: Final = re.compile(r"(https?)://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[A-Za-z0-9._-]{1,100})*", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[!-~]*")
_DOTS: Final = re.compile(r"\.{1,2}")
_HIDDEN: Final = re.compile(r"%(?:2e|2f|5c)", re.IGNORECASE)
"""Escapes that may become another path at the other end."""
_PORTS: Final = {"https": 443, "http": 80}
REMEDY: Final = "Set GITHUB_API_URL as the runner does, such as https://HOST/api/v3."


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The base address, without a slash at its end: ``https://api.github.com``, or ``https://HOST/api/v3``."""

    base: str

    @classmethod
    def at(cls, url: str) -> Self:
        """The interface at ``GITHUB_API_URL``. Plain ``http`` is taken where it is what was configured.

        Raises UsageError for what is no such address; its text is not repeated: it may hold credentials.
        """
        base = url.rstrip("/")
        if not _BASE.fullmatch(base) or any(map(_DOTS.fullmatch, base.split("/"))):
            raise UsageError("the address of GitHub's interface is not usable", REMEDY)
        return cls(base=base)

    def address(self, *segments: str | int, query: Mapping[str, str | int] | None = None) -> str:
        """An address below the base, each segment escaped. Raises NotPublishedError for one that climbs."""
        words = [str(segment) for segment in segments]
        if any(word in {"", ".", ".."} for word in words):
            reason = "a name in the address of the request is empty or consists of dots"
            raise NotPublishedError(PublishError(what="the request", reason=reason, remedy="Correct that name."))
        path = "/".join(quote(word, safe="") for word in words)
        return f"{self.base}/{path}" + (f"?{urlencode(query)}" if query else "")

    def join(self, current: str, target: str) -> str | None:
        """Where ``target``, named by the answer of ``current``, leads; None if not below the base, as spelled."""
        if not target or len(target) > LONGEST or not _PLAIN.fullmatch(target) or "\\" in target:
            return None
        try:
            address = urljoin(current, target)
            inside = _origin(address) == _origin(self.base)
        except ValueError:
            return None
        path, below = urlsplit(address).path, urlsplit(self.base).path
        climbs = _HIDDEN.search(path) or any(map(_DOTS.fullmatch, path.split("/")))
        return address if inside and not climbs and path.startswith(f"{below}/") else None


def _origin(address: str) -> tuple[str, str, int]:
    """Scheme, host and port. Raises ValueError where they cannot be told, or a user is named."""
    parts = urlsplit(address)
    if "@" in parts.netloc or parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no plain web address")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
