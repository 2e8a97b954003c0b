"""Traffic that comes in through an Ingress or a Route: whether it is encrypted, and who writes the proxy's own file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, object_check

INGRESS = ("/Ingress", "extensions/Ingress", "networking.k8s.io/Ingress")
"""The core group has no such kind, but who writes ``apiVersion: v1`` means it."""
NGINX = "nginx.ingress.kubernetes.io/"
SNIPPET = re.compile(r"(?:^|[/.-])snippets?$")
QUOTED = re.compile(r"(?:^|(?<=[\s=]))(?:\"(?!\s*[;}])[^\"\\]*\"|'(?!\s*[;}])[^'\\]*')(?=[\s;]|$)")
"""A word in quotes, not the end of quotes that the proxy's template opened."""
IN_ADDRESS = re.compile(r"[\r\n<>\"{}|^`\\;]")
"""None of them is part of an address (RFC 3986, 2); a semicolon is, and ends a directive."""
IN_NAME = re.compile(r"[\r\n#{};|]")
IN_ANY = re.compile(";")
"""Only it ends a directive of nginx, and a block that could be smuggled in holds at least one directive."""
DANGEROUS: Mapping[str, re.Pattern[str]] = {
    "auth-tls-match-cn": IN_NAME,
    "auth-url": IN_ADDRESS,
    "mirror-host": IN_ADDRESS,
    "mirror-target": IN_ADDRESS,
}
"""The annotations of CVE-2025-24514, CVE-2025-1097 and CVE-2025-1098, with what gets out of their place in the file."""

CERTIFICATES = (
    "alb.ingress.kubernetes.io/certificate-arn",
    "appgw.ingress.kubernetes.io/appgw-ssl-certificate",
    "ingress.gcp.kubernetes.io/pre-shared-cert",
    "networking.gke.io/managed-certificates",
)
"""Annotations with which a cloud's controller ends TLS; it needs no ``spec.tls`` then."""
SWITCHES = {"alb.ingress.kubernetes.io/listen-ports": "HTTPS", "traefik.ingress.kubernetes.io/router.tls": "true"}
"""Annotations that turn TLS on where they contain the word."""


@object_check("ingress-nginx-snippets", kinds=INGRESS)
def ingress_nginx_snippets(resource: Resource) -> Flaws:
    """Snippets as such; of other annotations what leaves their directive, text in quotes apart."""
    for key, value in sorted(_annotations(resource).items()):
        path = ("metadata", "annotations", key)
        if SNIPPET.search(key):
            yield Flaw(path, "writes text into the configuration of the proxy")
        elif key.startswith(NGINX) and _leaves_its_place(key.removeprefix(NGINX), text(value).strip()):
            yield Flaw(path, "holds a character that leads out of its place in the configuration of the proxy")


def _leaves_its_place(name: str, value: str) -> bool:
    pattern = DANGEROUS.get(name)
    return bool(pattern.search(value) if pattern else IN_ANY.search(QUOTED.sub("", value)))


@object_check("ingress-tls", kinds=(*INGRESS, "route.openshift.io/Route"))
def ingress_tls(resource: Resource) -> Flaws:
    """No TLS at all, or a host that none of the entries names; one without hosts is for all of them."""
    if resource.ref.kind == "Route":
        if not mapping(dig(dict(resource.value), "spec", "tls")):
            yield Flaw(("spec", "tls"), "serves without TLS")
        return
    if _gets_tls_elsewhere(_annotations(resource)):
        return
    entries = [entry for entry in sequence(dig(dict(resource.value), "spec", "tls")) if isinstance(entry, dict)]
    if not entries:
        yield Flaw(("spec", "tls"), "serves without TLS")
    elif all(sequence(entry.get("hosts")) for entry in entries):
        covered = {text(host).lower() for entry in entries for host in sequence(entry.get("hosts"))}
        yield from _bare_hosts(resource, covered)


def _bare_hosts(resource: Resource, covered: set[str]) -> Iterator[Flaw]:
    for position, rule in enumerate(sequence(dig(dict(resource.value), "spec", "rules"))):
        host = text(mapping(rule).get("host")).lower()
        if host and not {host, f"*.{host.partition('.')[2]}"} & covered:
            yield Flaw(
                ("spec", "rules", position, "host"), f"serves {host[:80]} without TLS: spec.tls has no such host"
            )


def _gets_tls_elsewhere(annotations: Mapping[str, Json]) -> bool:
    if any(text(annotations.get(key)).strip() for key in CERTIFICATES):
        return True
    return any(word in text(annotations.get(key)) for key, word in SWITCHES.items())


def _annotations(resource: Resource) -> Mapping[str, Json]:
    return mapping(dig(dict(resource.value), "metadata", "annotations"))
