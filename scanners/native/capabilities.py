"""Linux capabilities that containers add and drop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from model.pod_security import BASELINE_CAPABILITIES, RESTRICTED_CAPABILITIES
from model.values import dig, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

DEFAULT = BASELINE_CAPABILITIES | {"NET_RAW"}
"""What runtimes give to a container that says nothing."""
DANGEROUS = frozenset(
    {
        "ALL",
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "NET_ADMIN",
        "PERFMON",
        "SYSLOG",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_TIME",
    }
)
"""Each reaches the kernel, other processes or other files of the node (capabilities(7))."""
RAW_PACKETS = frozenset({"ALL", "NET_RAW"})


@container_check("capabilities-added", fields=("securityContext",))
def capabilities_added(container: ContainerView) -> Flaws:
    """Outside of what the baseline standard allows."""
    return _added(container, lambda name: name not in BASELINE_CAPABILITIES, "is outside of the baseline standard")


@container_check("capabilities-beyond-restricted", fields=("securityContext",))
def capabilities_beyond_restricted(container: ContainerView) -> Flaws:
    """PSS restricted, second half of ``check_capabilities_restricted``."""
    return _added(container, lambda name: name not in RESTRICTED_CAPABILITIES, "is outside of the restricted standard")


@container_check("dangerous-capabilities-added", fields=("securityContext",))
def dangerous_capabilities_added(container: ContainerView) -> Flaws:
    """Close to root on the node."""
    return _added(container, lambda name: plain_name(name) in DANGEROUS, "is close to root on the node")


@container_check("net-raw-capability", fields=("securityContext",))
def net_raw_capability(container: ContainerView) -> Flaws:
    """Added; whether the default one is dropped is the concern of drop-all-capabilities."""
    return _added(container, lambda name: plain_name(name) in RAW_PACKETS, "lets it craft raw packets")


@container_check("drop-all-capabilities")
def drop_all_capabilities(container: ContainerView) -> Flaws:
    """Of those that runtimes give, none is kept: by ALL, or by the name of each; adding most back undoes the drop.

    Runtimes read ``all`` as ``ALL``; none knows ``CAP_ALL``, which drops nothing.
    """
    dropped = [text(name) for name in sequence(dig(dict(container.security), "capabilities", "drop"))]
    added = {plain_name(text(name)) for name in sequence(dig(dict(container.security), "capabilities", "add"))}
    if not _drops_all(dropped):
        yield Flaw(container.at("securityContext", "capabilities", "drop"), "does not drop ALL capabilities")
    elif "ALL" in added or len(added & DEFAULT) > len(DEFAULT) // 2:
        path = container.at("securityContext", "capabilities", "add")
        yield Flaw(path, "drops ALL capabilities and adds most of the default ones back")


@container_check("capabilities-dropped-by-name", fields=("securityContext",))
def capabilities_dropped_by_name(container: ContainerView) -> Flaws:
    """PSS restricted, first half of ``check_capabilities_restricted``: ALL, spelt so; who keeps some fails above."""
    dropped = [text(name) for name in sequence(dig(dict(container.security), "capabilities", "drop"))]
    if "ALL" not in dropped and _drops_all(dropped):
        path = container.at("securityContext", "capabilities", "drop")
        yield Flaw(path, "drops its capabilities without the word ALL, which the restricted standard asks for")


def _drops_all(dropped: Sequence[str]) -> bool:
    return any(name.upper() == "ALL" for name in dropped) or {plain_name(name) for name in dropped} >= DEFAULT


def plain_name(name: str) -> str:
    """Runtimes accept ``CAP_NET_RAW`` and ``net_raw`` for ``NET_RAW``."""
    return name.upper().removeprefix("CAP_")


def _added(container: ContainerView, is_wrong: Callable[[str], bool], why: str) -> Iterator[Flaw]:
    for position, value in enumerate(sequence(dig(dict(container.security), "capabilities", "add"))):
        name = text(value)
        if is_wrong(name):
            yield Flaw(container.at("securityContext", "capabilities", "add", position), f"adds {name[:40]}: it {why}")
