"""Which component of the control plane a container starts, and with which words.

Commands are read as the kubelet expands them and a POSIX shell splits them; nothing is run, and no flag is understood.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from model.resource import Container
from model.values import FieldPath, mapping, sequence, text

COMPONENTS = frozenset({"etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubelet"})
HYPERKUBE = {
    "apiserver": "kube-apiserver",
    "controller-manager": "kube-controller-manager",
    "proxy": "kube-proxy",
    "scheduler": "kube-scheduler",
}
"""What the one binary for all of them, gone since Kubernetes 1.19, calls them besides their own names."""
WRAPPERS = frozenset({"catatonit", "dumb-init", "env", "exec", "go-runner", "hyperkube", "nice", "tini"})
"""Start the program that one of their words names."""
SHELLS = frozenset({"ash", "bash", "dash", "sh"})
KEYWORDS = frozenset({"!", "do", "else", "exec", "if", "nohup", "sudo", "then", "time", "until", "while", "{"})
"""What may stand before a command in a script."""
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
MENTIONED = re.compile("|".join(sorted(COMPONENTS)))
IMAGE = re.compile(rf"(?:^|/)({'|'.join(sorted(COMPONENTS))})(?:-(?:amd64|arm|arm64|ppc64le|s390x))?(?::[^/]*)?$")
REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
"""Kubernetes' own: ``$(NAME)``, and ``$$`` for a dollar."""
SHELL_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")
CONTINUED = re.compile(r"\\\r?\n")
COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
OPERATORS = ";&|()<>\n"
LONGEST_SCRIPT = 65_536
"""Characters; a longer one is not read."""
UNKNOWN = "\0"
"""Stands in a word where nobody but the cluster knows what will be there."""

Variables = Mapping[str, str | None]
"""By name; None for a value that is elsewhere."""


class Word(NamedTuple):
    """One word that a program is started with."""

    text: str
    """Expanded; may hold ``UNKNOWN``."""
    path: FieldPath
    """Of the list entry that it stands in, from the root of the object."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Start:
    """A component, as a container starts it."""

    program: str
    """One of ``COMPONENTS``."""
    words: tuple[Word, ...]
    """What stands behind the program's name."""
    path: FieldPath
    """Of the list that holds the last of its words, or else its name."""


def start_of(container: Container) -> Start | None:
    """The component that a container starts; None where it starts something else, or nobody can tell what."""
    command = container.value.get("command") or container.value.get("args")
    first = command[0] if isinstance(command, list) and command else None
    if not isinstance(first, str):
        return None
    if first.startswith("-"):
        return None if container.value.get("command") else _of_image(container)
    name = first.rpartition("/")[2]
    if name not in COMPONENTS and name not in WRAPPERS and name not in SHELLS:
        return None
    words = tuple(_words(container, variables(container)))
    return _in_script(words) if name in SHELLS else _in_words(words)


def _of_image(container: Container) -> Start | None:
    """Without a command, flags are for the program of the image; one that is called as a component holds that."""
    found = IMAGE.search(text(container.value.get("image")).partition("@")[0])
    if found is None:
        return None
    words = tuple(_words(container, variables(container)))
    return Start(program=found[1], words=words, path=(*container.path, "args"))


def variables(container: Container) -> Variables:
    """The container's environment as far as its manifest says it."""
    found: dict[str, str | None] = {}
    leaks = bool(sequence(container.value.get("envFrom")))
    for entry in sequence(container.value.get("env")):
        variable = mapping(entry)
        value = None if variable.get("valueFrom") is not None else _expand(text(variable.get("value")), found, leaks)
        found[text(variable.get("name"))] = None if value is not None and UNKNOWN in value else value
    return found


def _words(container: Container, known: Variables) -> Iterator[Word]:
    leaks = bool(sequence(container.value.get("envFrom")))
    for field in ("command", "args"):
        for position, word in enumerate(sequence(container.value.get(field))):
            expanded = _expand(text(word), known, leaks) if isinstance(word, str) else UNKNOWN
            yield Word(expanded, (*container.path, field, position))


def _expand(word: str, known: Variables, leaks: bool) -> str:  # noqa: FBT001 whether other objects add variables
    """As Kubernetes does: a reference to a variable that does not exist stays as it is."""
    if "$" not in word:
        return word

    def replaced(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "$"
        if name in known:
            value = known[name]
            return UNKNOWN if value is None else value
        return UNKNOWN if leaks else found[0]

    return REFERENCE.sub(replaced, word)


def _in_words(words: Sequence[Word]) -> Start | None:
    """The first word that names a component: of a plain command its first, behind a wrapper a later one."""
    under_hyperkube = False
    for position, word in enumerate(words):
        name = word.text.rpartition("/")[2]
        program = HYPERKUBE.get(name, name) if under_hyperkube else name
        if program in COMPONENTS:
            rest = tuple(words[position + 1 :])
            return Start(program=program, words=rest, path=(rest or words)[-1].path[:-1])
        under_hyperkube = under_hyperkube or name == "hyperkube"
    return None


def _in_script(words: Sequence[Word]) -> Start | None:
    """The component that a script behind ``-c`` starts; what other scripts do stands in files that we do not see."""
    script = _script(words)
    if script is None or len(script.text) > LONGEST_SCRIPT or not MENTIONED.search(script.text):
        return None
    for command in _commands(script.text):
        named = _without_prefixes(command)
        if named and named[0].rpartition("/")[2] in {*COMPONENTS, *WRAPPERS}:
            found = _in_words([Word(word, script.path) for word in named])
            if found is not None:
                return Start(program=found.program, words=found.words, path=script.path)
    return None


def _script(words: Sequence[Word]) -> Word | None:
    """The word behind the option ``c``, which may stand among others; ``o`` takes the next word for itself."""
    for before, option, word in zip(words, words[1:], words[2:], strict=False):
        if option.text.startswith("-") and not option.text.startswith("--") and option.text.endswith("c"):
            return word
        if not option.text.startswith(("-", "+")) and not (before.text[:1] in "-+" and before.text.endswith("o")):
            return None
    return None


def _commands(script: str) -> Iterator[list[str]]:
    """The simple commands of a script, each as its words, without redirections but for the number of the file."""
    lexer = shlex.shlex(COMMENT.sub("", CONTINUED.sub("", script)), posix=True, punctuation_chars=OPERATORS)
    lexer.whitespace, lexer.commenters, lexer.whitespace_split = " \t\r", "", True
    command: list[str] = []
    redirected = False
    try:
        for token in lexer:
            if token and not token.strip("<>&") and ("<" in token or ">" in token):
                redirected = True
            elif redirected:
                redirected = False
            elif token and not token.strip(OPERATORS):
                yield command
                command = []
            else:
                command.append(SHELL_REFERENCE.sub(UNKNOWN, token).replace("$", UNKNOWN).replace("`", UNKNOWN))
    except ValueError:  # a quotation that nobody closes: the shell refuses it as well
        return
    yield command


def _without_prefixes(command: Sequence[str]) -> Sequence[str]:
    for position, word in enumerate(command):
        if word not in KEYWORDS and not ASSIGNMENT.match(word):
            return command[position:]
    return ()
