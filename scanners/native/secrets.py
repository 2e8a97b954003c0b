"""Secret values written into environment variables. Values are looked at and never repeated."""

from __future__ import annotations

import re

from model.values import mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

PASSWORD_NAME = re.compile(r"(?:passw(?:or)?d|passphrase|(?:^|[_\-.])(?:pass|pwd))[_\-.]?\d{0,3}$", re.IGNORECASE)
NAME = re.compile(
    r"(?:secret|(?:^|[_\-.]|(?-i:(?<=[a-z])(?=[A-Z])))(?:token|credentials?|auth|erlang_cookie)"
    r"|(?:api|access|private|secret|signing|encryption|master|storage|account|batch)[_\-.]?key(?:[_\-.](?:base|content))?"
    r"|(?:^|[_\-.])key[_\-.](?:content|material))"
    r"[_\-.]?\d{0,3}$",
    re.IGNORECASE,
)
"""The end of a name says what it holds: PASSWORD_FILE, SECRET_NAME and TOKEN_URL hold something else."""
OF_SECRET = re.compile(r"(?:[A-Z0-9]+_)*SECRETS?((?:_[A-Z0-9]+)+)")
"""A variable that is called after a secret: ``SECRET_SALT``."""
ABOUT_SECRETS = re.compile(
    r"_(?:ACCOUNT|API|ARN|AUTH|BACKEND|BUCKET|CLASS|COUNT|DIR|DIRECTORY|DRIVER|ENABLED?|ENDPOINT|ENGINE|FIELD|FILES?"
    r"|FOLDER|FORMAT|GROUP|HOST|ID|INTERVAL|KIND|LABELS?|LENGTH|LIST|LOCATION|MANAGER|MODE|MOUNT|NAMES?|NAMESPACES?|NS"
    r"|OPERATOR|PATHS?|POLICY|PORT|PREFIX|PROJECT|PROVIDER|REF|REFRESH|REGION|RESOURCE|ROLE|ROTATION|SCOPE|SELECTOR"
    r"|SERVICE|SIZE|SOURCE|STORE|SUFFIX|SYNC|TEMPLATE|TIMEOUT|TTL|TYPE|URI|URL|VERSION|VOLUME|WATCH)(?:_|$)"
)
"""Words behind it that say where or what it is, and that the value is not it."""
SHAPES = re.compile(
    r"-BEGIN [A-Z ]*PRIVATE KEY|\bA(?:KI|SI)A[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}"
    r"|\bgithub_pat_\w{22}|\bglpat-[0-9A-Za-z_-]{20}"
    r"|\bxox[abprs]-[0-9A-Za-z-]{10}|\bsk_live_[0-9A-Za-z]{16}|\bAIza[0-9A-Za-z_-]{35}"
    r"|\beyJ[A-Za-z0-9_-]{8,256}\.eyJ[A-Za-z0-9_-]{8}"
    r"|[a-z][a-z0-9+.-]{1,20}://[^/\s:@]{1,80}:[^/\s@$<{*]{3,80}@"
)
"""Formats that are secrets wherever they stand. Every repetition is bounded: values come from strangers."""
PLACEHOLDER = re.compile(
    r"(?i)^(?:|true|false|yes|no|on|off|none|null|enabled?|disabled?|optional|required|basic|bearer|ldap|oauth2?|oidc|saml"
    r"|changeme|change-me|replace.?me|todo|x{3,}|\*+|<.*>|\$[({][^)}]*[)}]|\{\{.*\}\}"
    r"|your[-_ ].*|example|placeholder|/(?-i:[a-z0-9._-]*)(?:/[\w.${}()-]*)*)$"
)
"""A path begins with a word in lower case: base64 may begin with a slash, too."""
SHORT_NUMBER = re.compile(r"\d{1,5}$", re.ASCII)
LONGEST_NAME = 200
"""Characters of a name that may be one after a secret."""
MOST = 20_000
"""Characters of a value that are looked at."""


@container_check("secrets-in-env", fields=("env",))
def secrets_in_env(container: ContainerView) -> Flaws:
    """By the name of the variable or the shape of its literal value; references and placeholders are silent."""
    for position, entry in enumerate(sequence(container.value.get("env"))):
        variable = mapping(entry)
        name, value = text(variable.get("name")), text(variable.get("value"))[:MOST]
        if is_secret(name, value) or SHAPES.search(value):
            yield Flaw(container.at("env", position, "value"), f"holds a secret in the variable {name[:60]}")


def is_secret(name: str, value: str) -> bool:
    """By the name; a short number is a time or a count, unless the name is a password's."""
    if PLACEHOLDER.match(value):
        return False
    return bool(PASSWORD_NAME.search(name)) or (calls_secret(name) and not SHORT_NUMBER.match(value))


def calls_secret(name: str) -> bool:
    """Whether a variable is called as secrets are, passwords included."""
    if PASSWORD_NAME.search(name) or NAME.search(name):
        return True
    found = OF_SECRET.fullmatch(name) if len(name) <= LONGEST_NAME else None
    return found is not None and not ABOUT_SECRETS.search(found[1])


@container_check("duplicate-env-var", fields=("env",))
def duplicate_env_var(container: ContainerView) -> Flaws:
    """Of two variables of a name the later one counts."""
    seen: set[str] = set()
    for position, entry in enumerate(sequence(container.value.get("env"))):
        name = text(mapping(entry).get("name"))
        if name and name in seen:
            yield Flaw(container.at("env", position, "name"), f"sets the variable {name[:60]} twice")
        seen.add(name)
