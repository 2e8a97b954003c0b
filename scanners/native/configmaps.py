"""ConfigMaps that hold what belongs in a Secret. Values are looked at and never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from model.resource import Resource
from model.values import Json, mapping, text
from scanners.native.engine import Flaw, Verdicts, lone_survey
from scanners.native.secrets import NAME, PASSWORD_NAME, PLACEHOLDER, SHAPES, calls_secret, is_secret

SECRETS, SENSITIVE = "configmap-secrets", "configmap-sensitive-data"
CONFIG_MAP = ("/ConfigMap",)
MOST = 100_000
"""Characters of a value that are looked at."""
CODE = re.compile(r"\.(?:go|html?|js|lua|md|php|pl|ps1|py|rb|rego|tpl|tmpl|ts)$", re.IGNORECASE)
"""Files in which a word behind an equals sign is an expression, not a value."""
SETTING = re.compile(
    r"^[ \t]{0,40}(?:export[ \t]+|- +)?[\"']?([A-Za-z_][\w.-]{0,80})[\"']?[ \t]{0,40}[:=][ \t]{0,40}(\S[^\r\n]{0,300})",
    re.MULTILINE,
)
"""A line of an ini file, of properties, YAML, JSON or a shell: the name and what is set."""
MASK = re.compile(r"[xX]{3,}|\*+")
"""Stands where somebody will put the credential: into this very ConfigMap, if its key is called so."""
NO_SETTING = re.compile(r"(?:fastcgi|grpc|memcached|proxy|scgi|uwsgi)_pass$", re.IGNORECASE)
LITERAL = re.compile(r"[^\s$`<>(){}\[\]%*&!|@\"'][^\s$`<>(){}\[\]\"']{2,}")
"""No reference, template, call, tag or prose."""
RANDOM = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Z])[^\s]{12,}|(?=[^\s]*[a-f])(?=[^\s]*\d)[0-9a-f]{20,}")
"""Looks drawn by lot: in a file, a word behind ``token`` or ``key`` is mostly the name of something."""

PERSONAL = re.compile(r"(?:^|[_\-.])(?:user[_\-.]?name|e-?mail|phone)(?:[_\-.]?\d{1,3})?$", re.IGNORECASE)
EMAIL = re.compile(
    r"(?<![\w/.+:%$@-])(?!git@|noreply@|no-reply@)[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}"
    r"(?![\w/:-])"
)
NOBODY = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|net|org)|example|invalid|local|localhost|test|service|svc|internal)$"
)
"""Reserved for documentation (RFC 2606), or names inside a network."""
HASH = re.compile(r"\$(?:2[aby]|5|6|apr1|argon2(?:id|i|d)|y)\$[./A-Za-z0-9=,$+]{20}")
"""Formats of password hashes (crypt(5))."""
SUSPECT_KEY = re.compile("auth|cook|cred|key|ma.{1,2}l|pass|phone|pwd|secret|token|user")
"""Every key that NAME, PASSWORD_NAME or PERSONAL is about holds one of these, casefolded; ``i`` folds into several."""
SUSPECT_TEXT = re.compile("[:=@$_]|A(?:[KS]IA|Iza)|-BEGIN|eyJ|glpat-|xox")
"""Every value that SHAPES, SETTING, EMAIL or HASH is about holds one of these."""


@lone_survey(SECRETS, SENSITIVE, kinds=CONFIG_MAP)
def configmaps(resource: Resource, _: str) -> Verdicts:
    """Secrets by the key, by the shape of the value, or by a setting in a file that the value is.

    Sensitive data are user names, e-mail addresses, telephone numbers, and hashes of passwords.
    """
    secrets: list[Flaw] = []
    personal: list[Flaw] = []
    for key, value in _suspects(mapping(resource.value.get("data"))):
        settings = tuple(_settings(key, value))
        if found := _secret(key, value, settings):
            secrets.append(Flaw(("data", key), found))
        if found := _personal(key, value, settings):
            personal.append(Flaw(("data", key), found))
    return {SECRETS: secrets, SENSITIVE: personal}


def _suspects(data: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    """Keys with the beginning of their text, apart from what is plainly harmless; ``binaryData`` is nobody's to read.

    Most entries are numbers and words: one look at all of them costs a tenth of all the patterns on each.
    """
    values = {key: text(value)[:MOST] for key, value in data.items()}
    if not _is_suspect("\n".join(values), "\n".join(values.values())):
        return
    for key, value in values.items():
        if _is_suspect(key, value):
            yield key, value.strip()


def _is_suspect(key: str, value: str) -> bool:
    return bool(SUSPECT_TEXT.search(value) or SUSPECT_KEY.search(key.casefold()))


Settings = Sequence[tuple[str, str]]


def _secret(key: str, value: str, settings: Settings) -> str | None:
    if "\n" not in value and (is_secret(key, value) or (MASK.fullmatch(value) and calls_secret(key))):
        return f"holds a secret under the key {key[:60]}"
    if SHAPES.search(value):
        return f"holds a secret in the text of {key[:60]}"
    for name, setting in settings:
        is_password = PASSWORD_NAME.search(name) is not None
        if is_password or (NAME.search(name) and RANDOM.fullmatch(setting)):
            return f"holds a secret in the setting {name[:60]} of {key[:60]}"
    return None


def _personal(key: str, value: str, settings: Settings) -> str | None:
    if "\n" not in value and PERSONAL.search(key) and not PLACEHOLDER.match(value):
        return f"holds a person's data under the key {key[:60]}"
    if any(not NOBODY.search(found[0]) for found in EMAIL.finditer(value)):
        return f"holds an e-mail address in the text of {key[:60]}"
    if HASH.search(value):
        return f"holds the hash of a password in the text of {key[:60]}"
    for name, _ in settings:
        if PERSONAL.search(name):
            return f"holds a person's data in the setting {name[:60]} of {key[:60]}"
    return None


def _settings(key: str, value: str) -> Iterator[tuple[str, str]]:
    """Names and literal values in the lines of a text, comments and code apart."""
    if CODE.search(key):
        return
    for found in SETTING.finditer(value):
        name, setting = found[1], found[2].strip().rstrip(",;").strip("\"'")
        if not NO_SETTING.search(name) and LITERAL.fullmatch(setting) and not PLACEHOLDER.match(setting):
            yield name, setting
