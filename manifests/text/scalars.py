"""Types of YAML scalars exactly as Kubernetes reads them; refuses what Kubernetes refuses.

Source: sigs.k8s.io/yaml v1.6, its goyaml.v2 ``resolve.go`` and ``yaml.go``, then ``encoding/json`` with numbers as
int64 or float64 (k8s.io/apimachinery ``util/json``).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

Scalar: TypeAlias = "bool | int | float | str | None"

WORDS: Mapping[str, Scalar] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
NUMERIC = frozenset("+-.0123456789")
HINTED = NUMERIC | {word[:1] for word in WORDS}
"""First characters of all that may be something else than a string."""

INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([-+]?[01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
BASES = (16, 2, 8, 10)
FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
DOTTED = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
"""What starts with a dot goes to Go's ``ParseFloat`` as it is."""
INT64, UINT64 = 1 << 63, 1 << 64

PREFIX = "tag:yaml.org,2002:"
STRING, BINARY, TIMESTAMP, MERGE = (f"{PREFIX}{name}" for name in ("str", "binary", "timestamp", "merge"))
TYPES: Mapping[str, tuple[type, ...]] = {
    f"{PREFIX}bool": (bool,),
    f"{PREFIX}int": (int,),
    f"{PREFIX}float": (float, int),
    f"{PREFIX}null": (type(None),),
}


KNOWN_TAGS = frozenset({STRING, BINARY, TIMESTAMP, MERGE, *TYPES})


class Unreadable(ValueError):  # noqa: N818 - names what the value is, not that something went wrong
    """Kubernetes cannot read this scalar."""


def plain(text: str) -> Scalar:
    """The JSON value of an unquoted scalar. Raises Unreadable for ``.nan`` and ``.inf``, as Kubernetes does."""
    return text if text[:1] not in HINTED else as_json(resolve(text))


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag, before it becomes JSON; a tag unknown to Kubernetes says nothing."""
    if tag == BINARY:
        return _binary(text)
    types = TYPES.get(tag)
    if types is None:
        return text
    value = resolve(text)
    if type(value) not in types or (float in types and isinstance(value, int) and value >= INT64):
        raise Unreadable(f"the value is no {tag.removeprefix(PREFIX)}")
    return float(value) if isinstance(value, int) and float in types else value


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar before it becomes JSON: non-finite floats included."""
    if text in WORDS:
        return WORDS[text]
    return _number(text) if text[0] in NUMERIC else text


@lru_cache(maxsize=4096)
def _number(text: str) -> Scalar:
    digits = text.replace("_", "")
    if (match := INTEGER.fullmatch(digits)) and (integer := _integer(match)) is not None:
        return integer
    if (DOTTED if text[0] == "." else FLOAT).fullmatch(text if text[0] == "." else digits):
        number = float(digits)
        return text if math.isinf(number) else number
    return text


def _integer(match: re.Match[str]) -> int | None:
    sign, *groups = match.groups()
    digits, base = next((digits, base) for digits, base in zip(groups, BASES, strict=True) if digits)
    if len(digits) > 65 or (sign and not digits[0].isalnum()):  # a second sign: only ``0b-1`` is read
        return None
    value = int(sign + digits, base)
    return value if -INT64 <= value < (INT64 if sign else UINT64) else None


def _binary(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("a !!binary value holds invalid base64") from error
    return data.decode(errors="replace")


def as_json(value: Scalar) -> Scalar:
    """The value after the way through JSON: integral floats are integers, integers over 64 bits are floats."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unreadable(f"{_exponent(value)} is no number in JSON")
        return int(value) if value.is_integer() and -INT64 <= value < INT64 else value
    return float(value) if isinstance(value, int) and value >= INT64 else value


@lru_cache(maxsize=4096)
def key(text: str) -> str:
    """The JSON key of an unquoted key. Raises Unreadable for null and for integers over 64 bits."""
    return key_of(resolve(text)) if text[:1] in HINTED else text


def key_of(value: Scalar) -> str:
    """The JSON key of a value that stands as one."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() if value < INT64:
            return str(value)
        case float():
            return _exponent(value)
    raise Unreadable("a key that is null or over 64 bits is no key in JSON")


def _exponent(value: float) -> str:
    """Go's ``strconv.FormatFloat(value, 'g', -1, 32)``, with YAML's names for what is not finite."""
    if math.isnan(value):
        return ".nan"
    try:
        (single,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        single = math.copysign(math.inf, value)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    shortest = next(text for n in range(9) if _single(text := f"{single:.{n}e}") == single)
    digits, _, exponent = shortest.partition("e")
    if -4 <= int(exponent) < 6:
        decimals = len(digits.lstrip("-").replace(".", "")) - 1 - int(exponent)
        return f"{single:.{max(0, decimals)}f}"
    return f"{digits}e{int(exponent):+03d}"


def _single(text: str) -> float:
    (value,) = struct.unpack("f", struct.pack("f", float(text)))
    return float(value)
