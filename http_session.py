"""The way out for both rooms that speak HTTP: a session in which nobody but its user has a say.

It reads no environment and no ``.netrc``, keeps no cookie, sends no header of its own and follows no redirect.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests
from requests.utils import should_bypass_proxies


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How this machine reaches the outside."""

    proxy: str = field(default="", repr=False)
    """URL; empty for none. It may hold a password."""
    no_proxy: str = ""
    """Hosts that need none, as the environment variable has them."""
    certificates: str = ""
    """File or folder of trusted certificates; empty for those of certifi."""

    def proxies(self, address: str, scheme: str) -> dict[str, str]:
        """Of ``requests``, for an address that is asked over ``scheme``; empty where it is asked directly."""
        is_direct = not self.proxy or should_bypass_proxies(address, self.no_proxy)
        return {} if is_direct else {scheme: self.proxy}


class Session(requests.Session):
    """Leaves redirects alone: even where it does not follow them, ``requests`` reads their whole body into memory."""

    def __init__(self, route: Route) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self.headers.clear()
        if route.certificates:
            self.verify = route.certificates

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""
