"""Replaces the functions of a template that answer differently at each call by constants of the same shape.

Only functions that are called: fields, strings, variables and comments of the same name stay. It knows Sprig's
functions (v3.3); what a template makes random in another way is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from manifests.helm.actions import OPEN, Action, Command, Malformed, action_at, actions, commands

PREFIX: Final = "hardening-gate."
MOMENT: Final = "(toDate `2006-01-02T15:04:05Z07:00` `2000-01-01T00:00:00Z`)"
ALONE: Mapping[str, str] = {"now": MOMENT, "uuidv4": "(print `00000000-0000-4000-8000-000000000000`)"}
"""Functions without arguments."""

_LETTERS = '{{ repeat (first .) "x" }}'
_HASH = '$2a$10${{ repeat 53 "x" }}'


def _pem(label: str, content: str) -> str:
    return f'printf "-----%s {label}-----\\n%s\\n-----%s {label}-----\\n" "BEGIN" ("{content}" | b64enc) "END"'


_KEY = _pem("PRIVATE KEY", "not a key")
_PAIR = f'{{{{ dict "Cert" ({_pem("CERTIFICATE", "not a certificate")}) "Key" ({_KEY}) | mustToJson }}}}'


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands in for a function: a template that gets its arguments as a list."""

    arguments: int
    """How many it takes; with others the chart is wrong and must not render."""
    body: str
    convert: str = ""
    """From the text that a template gives to the type that the function has."""


CALLED: Mapping[str, Stand] = {
    "ago": Stand(1, "0s"),
    "bcrypt": Stand(1, _HASH),
    "durationRound": Stand(
        1, '{{ if typeIs "time.Time" (first .) }}0s{{ else }}{{ durationRound (first .) }}{{ end }}'
    ),
    "encryptAES": Stand(2, '{{ repeat 4 "constant" | b64enc }}'),
    "genCA": Stand(2, _PAIR, "fromJson"),
    "genCAWithKey": Stand(3, _PAIR, "fromJson"),
    "genPrivateKey": Stand(1, f"{{{{ {_KEY} }}}}"),
    "genSelfSignedCert": Stand(4, _PAIR, "fromJson"),
    "genSelfSignedCertWithKey": Stand(5, _PAIR, "fromJson"),
    "genSignedCert": Stand(5, _PAIR, "fromJson"),
    "genSignedCertWithKey": Stand(6, _PAIR, "fromJson"),
    "htpasswd": Stand(2, f"{{{{ first . }}}}:{_HASH}"),
    "randAlpha": Stand(1, _LETTERS),
    "randAlphaNum": Stand(1, _LETTERS),
    "randAscii": Stand(1, _LETTERS),
    "randBytes": Stand(1, '{{ repeat (first .) "x" | b64enc }}'),
    "randInt": Stand(2, '{{ trunc (first .) "" }}{{ trunc (last .) "" }}{{ first . }}', "int"),
    "randNumeric": Stand(1, '{{ repeat (first .) "1" }}'),
    "shuffle": Stand(1, "{{ first . }}"),
    "values": Stand(
        1,
        "{{ $map := first . }}[{{ range $n, $key := keys $map | sortAlpha }}"
        "{{ if $n }},{{ end }}{{ get $map $key | mustToJson }}{{ end }}]",
        "fromJsonArray",
    ),
}
KEYS: Final = "keys"
"""Random in its order alone."""
SORTED: Final = "sortAlpha"

NAMES: Final = frozenset({*ALONE, *CALLED, KEYS})
MENTION = re.compile(rf"\b(?:{'|'.join(sorted(NAMES))})\b")
REPLACED = re.compile(
    rf"\btuple\b((?:(?!\btuple\b).){{0,2000}}?) \| include `{re.escape(PREFIX)}({'|'.join(CALLED)})`( \| \w+)?",
    re.DOTALL,
)
NESTED: Final = 20
"""Calls in calls that are taken back."""
UNREAD: Final = 1_000
"""Actions of one text that cannot be read; what follows is not looked at."""
LONGEST: Final = 500
"""Characters of an action in a text that is no template."""

DEFINITIONS: Final = "".join(
    f'{{{{- define "{PREFIX}{name}" -}}}}'
    f'{{{{ if ne (len .) {stand.arguments} }}}}{{{{ fail "arguments" }}}}{{{{ end }}}}{stand.body}{{{{- end -}}}}\n'
    for name, stand in sorted(CALLED.items())
)
"""A template that defines what the replaced calls include."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A text whose random functions were replaced."""

    text: str
    names: frozenset[str] = frozenset()
    """The functions that were."""
    open: bool = False
    """Something that looks like a call of one could not be replaced."""


def settle_template(text: str) -> Settled:
    """A template with constants. One that Helm cannot read stays as it is."""
    if not MENTION.search(text):
        return Settled(text=text)
    try:
        return _settle(text, actions(text))
    except Malformed:
        return Settled(text=text)


def settle_data(text: str) -> Settled:
    """Values or another file that a template may run through ``tpl``: what cannot be read in it is left alone."""
    if OPEN not in text or not MENTION.search(text):
        return Settled(text=text)
    unread: list[str] = []
    settled = _settle(text, _readable(text, unread), keys=False)
    is_open = any(MENTION.search(part) for part in unread)
    return Settled(text=settled.text, names=settled.names, open=is_open or settled.open)


def unsettle(text: str) -> str:
    """``settle_data`` taken back, in whatever a template made of its result without executing it."""
    for name, constant in ALONE.items():
        text = text.replace(constant, name)
    for _ in range(NESTED):  # from the inside to the outside
        text, found = REPLACED.subn(_as_written, text)
        if not found:
            break
    return text


def _as_written(match: re.Match[str]) -> str:
    arguments, name, follower = match.groups(default="")
    return f"{name}{arguments}{'' if CALLED[name].convert else follower}"


def _readable(text: str, unread: list[str]) -> Iterator[Action]:
    start = text.find(OPEN)
    while start >= 0:
        if len(unread) >= UNREAD:
            unread.append(text[start:])
            return
        try:
            action = action_at(text, start, start + LONGEST)
        except Malformed:
            unread.append(text[start : start + LONGEST].partition("}}")[0])
            start = text.find(OPEN, start + len(OPEN))
        else:
            yield action
            start = text.find(OPEN, action.end)


def _settle(text: str, found: Iterator[Action], *, keys: bool = True) -> Settled:
    """The text with each action rewritten that calls one of the functions."""
    pieces: list[str] = []
    names: set[str] = set()
    position, is_open = 0, False
    for action in found:
        if not MENTION.search(text, action.start, action.end):
            continue
        edits = list(_edits(action, names))
        if not keys and KEYS in names:
            names.discard(KEYS)
            is_open = True
        elif edits:
            pieces.append(
                edited(text[position : action.end], [(s - position, e - position, new) for s, e, new in edits])
            )
            position = action.end
    return Settled(text="".join((*pieces, text[position:])), names=frozenset(names), open=is_open)


Edit = tuple[int, int, str]
"""From where to where, and what comes there."""


def _edits(action: Action, names: set[str]) -> Iterator[Edit]:
    followers: dict[int, Command] = {}
    for command in reversed(commands(action)):
        follower = followers.get(command.depth)
        followers[command.depth] = command
        for word in (command.words[0], *command.operand_names()):
            if word.text in ALONE and word.sort == "name":
                names.add(word.text)
                yield word.start, word.end, ALONE[word.text]
        if command.name in CALLED:
            names.add(command.name)
            yield from _call(command, CALLED[command.name])
        elif command.name == KEYS and not (follower and follower.piped and follower.name == SORTED):
            names.add(KEYS)
            yield command.end, command.end, f" | {SORTED}"


def _call(command: Command, stand: Stand) -> Iterator[Edit]:
    """``f a b`` becomes ``tuple a b | include "name"``, which holds for ``b | f a`` too."""
    function = command.words[0]
    yield function.start, function.end, "tuple"
    convert = f" | {stand.convert}" if stand.convert else ""
    yield command.end, command.end, f" | include `{PREFIX}{function.text}`{convert}"


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits made; those at the same place in their order."""
    pieces: list[str] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        pieces += (text[position:start], new)
        position = end
    return "".join((*pieces, text[position:]))
