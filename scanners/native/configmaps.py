"""ConfigMaps that hold what belongs in a Secret. Values are looked at and never repeated."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model.resource import Resource
from model.values import mapping, text
from scanners.native.engine import Flaw, Flaws, object_check
from scanners.native.secrets import NAME, PASSWORD_NAME, PLACEHOLDER, SHAPES, is_secret

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


@object_check("configmap-secrets", kinds=CONFIG_MAP)
def configmap_secrets(resource: Resource) -> Flaws:
    """By the key, by the shape of the value, or by a setting in a file that the value is."""
    for key, value in _entries(resource):
        if found := _secret(key, value):
            yield Flaw(("data", key), found)


@object_check("configmap-sensitive-data", kinds=CONFIG_MAP)
def configmap_sensitive_data(resource: Resource) -> Flaws:
    """User names, e-mail addresses, telephone numbers, and hashes of passwords."""
    for key, value in _entries(resource):
        if found := _personal(key, value):
            yield Flaw(("data", key), found)


def _entries(resource: Resource) -> Iterator[tuple[str, str]]:
    """Keys with the beginning of their text; ``binaryData`` is nobody's to read."""
    for key, value in mapping(resource.value.get("data")).items():
        yield key, text(value)[:MOST].strip()


def _secret(key: str, value: str) -> str | None:
    if "\n" not in value and is_secret(key, value):
        return f"holds a secret under the key {key[:60]}"
    if SHAPES.search(value):
        return f"holds a secret in the text of {key[:60]}"
    for name, setting in _settings(key, value):
        is_password = PASSWORD_NAME.search(name) is not None
        if is_password or (NAME.search(name) and RANDOM.fullmatch(setting)):
            return f"holds a secret in the setting {name[:60]} of {key[:60]}"
    return None


def _personal(key: str, value: str) -> str | None:
    if "\n" not in value and PERSONAL.search(key) and not PLACEHOLDER.match(value):
        return f"holds a person's data under the key {key[:60]}"
    if any(not NOBODY.search(found[0]) for found in EMAIL.finditer(value)):
        return f"holds an e-mail address in the text of {key[:60]}"
    if HASH.search(value):
        return f"holds the hash of a password in the text of {key[:60]}"
    for name, _ in _settings(key, value):
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
