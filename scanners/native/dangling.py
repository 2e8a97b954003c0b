"""What points at an object that is not there: Services, Ingresses, autoscalers, and the Service of a StatefulSet.

A scope without a single object of the sort that is pointed at holds one part of an application: it gives no verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from model.resource import Resource
from model.selectors import carries
from model.values import FieldPath, Json, dig, mapping, sequence, text
from scanners.native.autoscaling import AUTOSCALER
from scanners.native.engine import Flaw, Flaws, Neighbours, Verdicts, survey
from scanners.native.selection import Template, Templates, places_for, places_of

INGRESSES = ("extensions/Ingress", "networking.k8s.io/Ingress")
MONITORING = "monitoring.coreos.com"
ANNOTATED = "use-annotation"
"""The port of a backend that an annotation describes (AWS Load Balancer Controller): it is no Service."""


@survey("service-dangling", kinds=("/Service", f"{MONITORING}/ServiceMonitor"))
def service_dangling(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A Service that selects no pods, a ServiceMonitor that selects no Services."""
    return _monitor(resource, neighbours) if resource.ref.group else _service(resource, neighbours)


def _monitor(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """In its own namespace, in those that it names, or in any (Prometheus Operator, ``ServiceMonitorSpec``)."""
    services = neighbours.derived(_services)
    if not services.every:
        return {}
    spec = mapping(resource.value.get("spec"))
    elsewhere = mapping(spec.get("namespaceSelector"))
    named = [text(name) for name in sequence(elsewhere.get("matchNames"))]
    namespaces = [""] if elsewhere.get("any") is True else named or [resource.ref.namespace]
    selector = spec.get("selector") or {}
    if any(True for namespace in namespaces for _ in services.selected(namespace, selector)):
        return {"service-dangling": []}
    path = ("spec", "selector" if selector else "namespaceSelector")
    return {"service-dangling": [Flaw(path, "selects none of the Services that are deployed with it")]}


def _services(neighbours: Neighbours) -> Templates:
    """The Services of the scope by their own labels."""
    services = Templates()
    for resource in filter(_is_service, neighbours.of_kind("Service")):
        labels = mapping(dig(dict(resource.value), "metadata", "labels"))
        services.add(Template(resource=resource, labels=labels))
    return services


def _service(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """One without selector gets its endpoints from somebody else, one of type ExternalName has none."""
    spec = mapping(resource.value.get("spec"))
    selector = mapping(spec.get("selector"))
    if not selector or spec.get("type") == "ExternalName":
        return {"service-dangling": []}
    templates = neighbours.derived(Templates.of)
    if not templates.every:
        return {}
    flaw = Flaw(("spec", "selector"), "selects none of the pods that are deployed with it")
    return {"service-dangling": [] if templates.carry(resource.ref.namespace, selector) else [flaw]}


@survey("hpa-target", kinds=(AUTOSCALER,))
def hpa_target(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Kubernetes looks for group, kind and name; without ``apiVersion`` in the core group."""
    target = mapping(dig(dict(resource.value), "spec", "scaleTargetRef"))
    kind, name = text(target.get("kind")), text(target.get("name"))
    if not kind or not name:
        return {"hpa-target": [Flaw(("spec", "scaleTargetRef"), "does not say what it scales")]}
    if not neighbours.derived(Templates.of).every and not neighbours.of_kind(kind):
        return {}
    group = text(target.get("apiVersion")).rpartition("/")[0]
    if _find(neighbours, group, kind, resource.ref.namespace, name):
        return {"hpa-target": []}
    called = f"{kind[:60]} {name[:80]} of the group {group[:60] or 'core'}"
    return {"hpa-target": [Flaw(("spec", "scaleTargetRef", "name"), f"scales {called}, which is not deployed with it")]}


@survey("statefulset-service", kinds=("StatefulSet",))
def statefulset_service(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A headless Service that selects the pods gives each of them its name."""
    name = text(dig(dict(resource.value), "spec", "serviceName"))
    path = ("spec", "serviceName")
    if not name:
        return {"statefulset-service": [Flaw(path, "names no Service")]}
    if not any(map(_is_service, neighbours.of_kind("Service"))):
        return {}
    services = _find(neighbours, "", "Service", resource.ref.namespace, name)
    message = _unfit(services, resource) if services else "which is not deployed with it"
    return {"statefulset-service": [Flaw(path, f"names the Service {name[:80]}, {message}")] if message else []}


def _unfit(services: Sequence[Resource], stateful_set: Resource) -> str:
    """Why none of these Services names the pods; empty where one does."""
    headless = [each for each in services if dig(dict(each.value), "spec", "clusterIP") == "None"]
    if not headless:
        return "which is not headless"
    labels = mapping(dig(dict(stateful_set.value), "spec", "template", "metadata", "labels"))
    selectors = (mapping(dig(dict(each.value), "spec", "selector")) for each in headless)
    return "" if any(not each or carries(labels, each) for each in selectors) else "which does not select its pods"


@survey("ingress-dangling", kinds=INGRESSES)
def ingress_dangling(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """Each backend names a Service and one of its ports, or an object of another kind."""
    backends = list(_backends(resource))
    nameless = [
        Flaw(backend.path, "has a backend that names no Service in the form of its API version")
        for backend in backends
        if not backend.service
    ]
    if not any(map(_is_service, neighbours.of_kind("Service"))):
        return {"ingress-dangling": nameless} if nameless or not backends else {}
    named = (backend for backend in backends if backend.service)
    return {"ingress-dangling": [*nameless, *(flaw for each in named for flaw in _leads_nowhere(each, neighbours))]}


def _leads_nowhere(backend: _Backend, neighbours: Neighbours) -> Flaws:
    services = _find(neighbours, "", "Service", backend.namespace, backend.service)
    called = f"Service {backend.service[:80]}"
    if not services:
        yield Flaw(backend.name_path, f"leads to the {called}, which is not deployed with it")
    elif not any(_offers(service, backend.port) for service in services):
        yield Flaw(backend.port_path, f"leads to a port that the {called} does not have")


def _offers(service: Resource, port: Json) -> bool:
    """Whether a Service has the port, by its number or its name; an ExternalName forwards every port."""
    spec = mapping(service.value.get("spec"))
    ports = map(mapping, sequence(spec.get("ports")))
    known = {str(each.get(field)) for each in ports for field in ("port", "name") if each.get(field) is not None}
    return spec.get("type") == "ExternalName" or str(port) in known


class _Backend(NamedTuple):
    """Where an Ingress leads to."""

    namespace: str
    service: str
    """Empty where it names none."""
    port: Json
    path: FieldPath
    name_path: FieldPath
    port_path: FieldPath


def _backends(ingress: Resource) -> Iterator[_Backend]:
    """All that are meant to be a Service."""
    is_current = ingress.api_version == "networking.k8s.io/v1"
    read = _current_backend if is_current else _former_backend
    for path, value in _places(mapping(ingress.value.get("spec")), "defaultBackend" if is_current else "backend"):
        backend = read(ingress.ref.namespace, path, value)
        if value.get("resource") is None and backend.port != ANNOTATED:
            yield backend


def _places(spec: dict[str, Json], default: str) -> Iterator[tuple[FieldPath, dict[str, Json]]]:
    """Path and value of each backend."""
    if spec.get(default) is not None:
        yield ("spec", default), mapping(spec[default])
    for number, rule in enumerate(sequence(spec.get("rules"))):
        for position, entry in enumerate(sequence(dig(rule, "http", "paths"))):
            path = ("spec", "rules", number, "http", "paths", position, "backend")
            yield path, mapping(mapping(entry).get("backend"))


def _current_backend(namespace: str, path: FieldPath, value: dict[str, Json]) -> _Backend:
    service = mapping(value.get("service"))
    port = mapping(service.get("port"))
    field = "name" if port.get("name") else "number"
    return _Backend(
        namespace=namespace,
        service=text(service.get("name")),
        port=port.get(field),
        path=path,
        name_path=(*path, "service", "name"),
        port_path=(*path, "service", "port", field),
    )


def _former_backend(namespace: str, path: FieldPath, value: dict[str, Json]) -> _Backend:
    return _Backend(
        namespace=namespace,
        service=text(value.get("serviceName")),
        port=value.get("servicePort"),
        path=path,
        name_path=(*path, "serviceName"),
        port_path=(*path, "servicePort"),
    )


def _is_service(resource: Resource) -> bool:
    return resource.ref.kind == "Service" and not resource.ref.group


def _find(neighbours: Neighbours, group: str, kind: str, namespace: str, name: str) -> Sequence[Resource]:
    """The objects of that name that may lie in that namespace."""
    known = neighbours.derived(_by_name)
    found = [known[key] for place in places_for(namespace) if (key := (place, group, kind, name)) in known]
    return [*found[0], *found[1]] if len(found) > 1 else found[0] if found else ()


def _by_name(neighbours: Neighbours) -> Mapping[tuple[str, str, str, str], Sequence[Resource]]:
    found: dict[tuple[str, str, str, str], list[Resource]] = {}
    for resource in neighbours:
        ref = resource.ref
        for place in places_of(ref.namespace):
            found.setdefault((place, ref.group, ref.kind, ref.name), []).append(resource)
    return found
