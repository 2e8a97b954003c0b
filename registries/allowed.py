"""What the policy lets us ask: addresses below the prefixes of ``deps.allow``, compared part by part, never as text.

One rule for all that is asked: indexes, archives, manifests, blobs, and every target of a redirect. An allow-list whose
members may send us anywhere would be none, so storage behind a registry stands in the list, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from model.errors import UsageError
from registries.addresses import Address, NoAddressError, parse
from registries.refusal import NotFetchedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Prefixes of addresses."""

    prefixes: tuple[Address, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Raises UsageError for an entry that is no plain prefix."""
        return cls(prefixes=tuple(map(_prefix, texts)))

    def permits(self, address: Address) -> bool:
        """Whether the address lies below one of the prefixes."""
        return any(
            address.origin == prefix.origin and address.segments[: len(prefix.segments)] == prefix.segments
            for prefix in self.prefixes
        )

    def require(self, address: Address, why: str) -> None:
        """Raise NotFetchedError for an address that is not allowed. ``why`` says who wants it."""
        if not self.permits(address):
            raise NotFetchedError(
                f"{why} {address.shown}, which the policy does not allow",
                f"if you trust it, add {_suggestion(address)!r} or a longer prefix to deps.allow in the configuration, "
                "or vendor the dependency",
            )


def _prefix(text: str) -> Address:
    try:
        address = parse(text)
    except NoAddressError as error:
        raise UsageError(
            f"deps.allow: {text!r} is no prefix: {error}", "Write it as https://HOST/PATH or oci://HOST/PATH."
        ) from error
    if address.query or "%" in text:
        raise UsageError(f"deps.allow: {text!r} holds a query or an escape", "Write the plain beginning of the URL.")
    kept = address.segments[:-1] if address.segments[-1:] == ("",) else address.segments
    return Address(scheme=address.scheme, host=address.host, port=address.port, segments=kept)


def _suggestion(address: Address) -> str:
    return Address(scheme=address.scheme, host=address.host, port=address.port, segments=("",)).shown
