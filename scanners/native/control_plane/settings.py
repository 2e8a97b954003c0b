"""The shapes that most checks of flags have: a file is named, a switch is on or off, an address is a loopback one."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from scanners.native.control_plane.flags import Line, UnclearError
from scanners.native.engine import Flaw

Check = Callable[[Line], Flaw | None]
"""The flaw of one control, or None where it passes; raises UnclearError where nobody can tell."""

FORWARD_SECRET = re.compile(
    r"TLS_ECDHE_(?:ECDSA|RSA)_WITH_(?:AES_(?:128|256)_GCM|CHACHA20_POLY1305)(?:_SHA(?:256|384))?"
)
TLS_1_3 = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{0,9})?(?:ns|us|µs|ms|s|m|h))+|0")
PART = re.compile(r"(\d{1,9}(?:\.\d{0,9})?)(ns|us|µs|ms|s|m|h)")
SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def named(name: str, message: str) -> Check:
    """The flag has to name something."""

    def check(line: Line) -> Flaw | None:
        return None if line.text(name) else line.flaw(f"{message}: --{name} is not set", name)

    return check


def both_named(first: str, second: str, message: str) -> Check:
    """A certificate and its key, neither of which is of use alone."""

    def check(line: Line) -> Flaw | None:
        missing = [name for name in (first, second) if not line.text(name)]
        if not missing:
            return None
        return line.flaw(f"{message}: {' and '.join(f'--{name}' for name in missing)} not set", first, second)

    return check


def absent(name: str, message: str) -> Check:
    """The flag must not be there."""

    def check(line: Line) -> Flaw | None:
        return line.flaw(f"{message}: --{name} is set", name) if line.has(name) and line.text(name) else None

    return check


def switched(name: str, message: str, *, wanted: bool, default: bool) -> Check:
    """The switch has to be on, or off."""

    def check(line: Line) -> Flaw | None:
        if line.truth(name, default=default) is wanted:
            return None
        state = "off" if wanted else "on"
        return line.flaw(f"{message}: --{name} is {state}{line.by_default(name)}", name)

    return check


def at_least(name: str, least: int, message: str) -> Check:
    """A number that somebody has thought of: unset and 0 are what the program takes anyway."""

    def check(line: Line) -> Flaw | None:
        number = line.number(name, 0)
        if number >= least:
            return None
        return line.flaw(f"{message}: --{name} is {f'less than {least}' if number > 0 else 'not set'}", name)

    return check


def loopback(name: str, message: str) -> Check:
    """An address that only the machine itself reaches; these programs listen on all of them by default."""

    def check(line: Line) -> Flaw | None:
        if is_loopback(line.text(name, "0.0.0.0")):  # noqa: S104 compared, not bound
            return None
        return line.flaw(f"{message}: --{name} is no loopback address{line.by_default(name)}", name)

    return check


def is_loopback(address: str) -> bool:
    """Of an IP address; the programs take no names."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError as error:
        raise UnclearError from error


def is_strong(suite: str) -> bool:
    """Whether a cipher suite keeps past traffic secret when the key is stolen, and authenticates what it encrypts."""
    return suite in TLS_1_3 or FORWARD_SECRET.fullmatch(suite) is not None


def seconds(duration: str) -> float:
    """Of a duration as Go writes it."""
    if not DURATION.fullmatch(duration):
        raise UnclearError
    return sum(float(number) * SECONDS[unit] for number, unit in PART.findall(duration))
