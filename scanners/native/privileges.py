"""Privileged containers, privilege escalation, and whether there is a security context at all."""

from __future__ import annotations

from scanners.native.engine import ContainerView, Flaw, Flaws, container_check


@container_check("privileged-container", fields=("securityContext",))
def privileged_container(container: ContainerView) -> Flaws:
    """PSS baseline, ``check_privileged``."""
    if container.security.get("privileged") is True:
        yield Flaw(container.at("securityContext", "privileged"), "runs privileged")


@container_check("privilege-escalation-allowed")
def privilege_escalation_allowed(container: ContainerView) -> Flaws:
    """PSS restricted, ``check_allowPrivilegeEscalation``: unset is allowed."""
    if container.security.get("allowPrivilegeEscalation") is not False:
        yield Flaw(
            container.at("securityContext", "allowPrivilegeEscalation"), "may gain more privileges than it starts with"
        )


@container_check("security-context-missing")
def security_context_missing(container: ContainerView) -> Flaws:
    """Neither the container nor its pod says anything."""
    if not container.security and not container.pod.security:
        yield Flaw(container.at("securityContext"), "has no security context, and neither has its pod")
