"""What the flags of a component say, read as its own flag library reads them (spf13/pflag, for etcd Go's ``flag``).

It knows how flags are written; what a flag means, and whether that is good, others say.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model.programs import UNKNOWN, Start, Variables, Word
from model.resource import Container
from model.values import FieldPath, Json, mapping, sequence, text
from scanners.native.engine import Flaw

NEWEST = (1, 34)
"""Kubernetes, where nobody says which."""
VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,4})(?![0-9])")
TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}
"""Go's ``strconv.ParseBool``; the programs refuse all other words."""
SWITCHES = frozenset(
    {
        "allow-privileged",
        "anonymous-auth",
        "auto-tls",
        "client-cert-auth",
        "contention-profiling",
        "kubelet-https",
        "make-iptables-util-chains",
        "peer-auto-tls",
        "peer-client-cert-auth",
        "profiling",
        "protect-kernel-defaults",
        "rotate-certificates",
        "rotate-server-certificates",
        "seccomp-default",
        "service-account-extend-token-expiration",
        "service-account-lookup",
        "use-service-account-credentials",
    }
)
"""Flags that take no word of their own: the next one belongs to somebody else."""
GREEDY = frozenset(
    {
        "audit-log-maxage",
        "audit-log-maxbackup",
        "audit-log-maxsize",
        "audit-log-path",
        "audit-policy-file",
        "authorization-mode",
        "bind-address",
        "cert-file",
        "client-ca-file",
        "encryption-provider-config",
        "etcd-cafile",
        "etcd-certfile",
        "etcd-keyfile",
        "key-file",
        "kubelet-certificate-authority",
        "kubelet-client-certificate",
        "kubelet-client-key",
        "peer-cert-file",
        "peer-key-file",
        "root-ca-file",
        "service-account-key-file",
        "service-account-private-key-file",
        "terminated-pod-gc-threshold",
        "tls-cert-file",
        "tls-private-key-file",
        "trusted-ca-file",
    }
)
"""Flags known to take the next word, even one that looks like a flag; others are taken to leave such a word alone."""


class UnclearError(Exception):
    """The manifest does not say what a verdict depends on: then there is none."""


class Given(NamedTuple):
    """A flag as it is written once."""

    value: str | None
    """None where only the cluster knows it."""
    path: FieldPath


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """All flags that one start of a component gets."""

    given: Mapping[str, Sequence[Given]]
    """By name with dashes, in order."""
    home: FieldPath
    """Where a flag that is missing would stand."""
    is_whole: bool = True
    """False where flags may come from elsewhere as well: nothing is known to be absent."""
    presets: Mapping[str, str] = field(default_factory=dict)
    """Flags that whoever writes the command sets where nothing else is asked for."""
    version: tuple[int, int] = NEWEST

    def has(self, name: str) -> bool:
        """Whether a flag is given, with whatever value."""
        if name in self.given or name in self.presets:
            return True
        if not self.is_whole:
            raise UnclearError
        return False

    def text(self, name: str, default: str = "") -> str:
        """The value that counts, which is the last one; where a flag is absent, that of who writes the command."""
        if not self.has(name):
            return default
        if name not in self.given:
            return self.presets[name]
        value = self.given[name][-1].value
        if value is None:
            raise UnclearError
        return value

    def truth(self, name: str, *, default: bool) -> bool:
        """The same of a switch."""
        word = self.text(name, str(default))
        if word not in TRUTHS:
            raise UnclearError
        return TRUTHS[word]

    def number(self, name: str, default: int) -> int:
        """The same of a whole number."""
        word = self.text(name, str(default)).strip()
        if not re.fullmatch(r"-?[0-9]{1,18}", word, re.ASCII):
            raise UnclearError
        return int(word)

    def items(self, name: str, default: Sequence[str] = ()) -> Sequence[str]:
        """The same of a list: commas separate, and a flag that is repeated adds to it."""
        if name not in self.given:
            preset = self.text(name)
            return tuple(preset.split(",")) if preset else default
        return [item for each in self.given[name] for item in _items(each.value)]

    def at(self, *names: str, holding: str = "") -> FieldPath:
        """Where the first of these flags is given that is given at all, ``holding`` some text; where one is missing."""
        for name in names:
            for each in reversed(self.given.get(name, ())):
                if holding in (each.value or ""):
                    return each.path
        return self.home

    def flaw(self, message: str, *names: str, holding: str = "") -> Flaw:
        """A flaw at a flag."""
        return Flaw(self.at(*names, holding=holding), message)

    def by_default(self, name: str) -> str:
        """Words for a message about a flag that nobody has set."""
        return "" if name in self.given else " by default"


def version_of(word: str, otherwise: tuple[int, int] = NEWEST) -> tuple[int, int]:
    """``v1.31.2`` as (1, 31)."""
    found = VERSION.match(word)
    return (int(found[1]), int(found[2])) if found else otherwise


def line_of(start: Start, container: Container, known: Variables, version: tuple[int, int]) -> Line:
    """The flags of a component in a container."""
    given, loose = _parse(start.words, one_dash=start.program == "etcd")
    is_whole = not loose
    if start.program == "etcd":
        is_whole = is_whole and not sequence(container.value.get("envFrom"))
        for name, value in _etcd_variables(container, known):
            given.setdefault(name, [value])
        if "config-file" in given:  # etcd then overlooks all other flags
            return Line(given={}, home=start.path, is_whole=False, version=version)
    return Line(given=given, home=start.path, is_whole=is_whole, version=version)


def line_of_arguments(arguments: Json, path: FieldPath, presets: Mapping[str, str], version: tuple[int, int]) -> Line:
    """The flags that a mapping of names to values, or a list of ``name`` and ``value``, becomes."""
    given: dict[str, list[Given]] = {}
    for name, value, place in _arguments(arguments, path):
        given.setdefault(_name(name), []).append(Given(value if isinstance(value, str) else None, place))
    return Line(given=given, home=path, presets=presets, version=version)


def _arguments(arguments: Json, path: FieldPath) -> Iterator[tuple[str, Json, FieldPath]]:
    for name, value in mapping(arguments).items():
        yield name, value, (*path, name)
    for position, each in enumerate(sequence(arguments)):
        entry = mapping(each)
        yield text(entry.get("name")), entry.get("value"), (*path, position)


def _parse(words: Iterable[Word], *, one_dash: bool) -> tuple[dict[str, list[Given]], bool]:
    """The flags among words, and whether one of the words may be any flag."""
    given: dict[str, list[Given]] = {}
    loose = False
    queue = list(words)
    position = 0
    while position < len(queue):
        word, path = queue[position]
        position += 1
        if word == "--":
            break
        loose = loose or word.startswith(UNKNOWN)
        if not word.startswith("--" if not one_dash else "-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        name = _name(name)
        if UNKNOWN in name:
            loose = True
        elif equals:
            given.setdefault(name, []).append(Given(None if UNKNOWN in value else value, path))
        elif name in SWITCHES:
            given.setdefault(name, []).append(Given("true", path))
        else:
            following = queue[position].text if position < len(queue) else None
            taken = following is not None and (name in GREEDY or not following.startswith("-"))
            position += taken
            known = following if taken and following is not None and UNKNOWN not in following else None
            given.setdefault(name, []).append(Given(known, path))
    return given, loose


def _name(word: str) -> str:
    """The components take underscores for dashes (component-base, ``WordSepNormalizeFunc``)."""
    return word.replace("_", "-")


def _items(value: str | None) -> Sequence[str]:
    if value is None:
        raise UnclearError
    try:
        row = next(csv.reader([value]), [])
    except csv.Error as error:
        raise UnclearError from error
    return [item.strip() for item in row]


def _etcd_variables(container: Container, known: Variables) -> Iterator[tuple[str, Given]]:
    """Each flag of etcd has a variable, which a flag on the command line overrides."""
    for position, entry in enumerate(sequence(container.value.get("env"))):
        name = text(mapping(entry).get("name"))
        if name.startswith("ETCD_"):
            flag = name.removeprefix("ETCD_").replace("_", "-").lower()
            yield flag, Given(known.get(name), (*container.path, "env", position))
