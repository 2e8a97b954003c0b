"""Whether a workload can be created at all, survives the loss of a pod, and is replaced pod by pod."""

from __future__ import annotations

from collections.abc import Mapping

from model.resource import Resource
from model.selectors import carries, holds
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import Flaw, Flaws, Neighbours, PodView, Verdicts, object_check, pod_check, survey
from scanners.native.numbers import whole
from scanners.native.selection import autoscaler_of

DEPLOYMENTS = frozenset({"Deployment", "DeploymentConfig"})
ROLLING = ("", "RollingUpdate", "Rolling")
"""``Rolling`` is what a DeploymentConfig calls it; the default where nothing is said."""
LABEL_SELECTORS = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})
PLAIN_SELECTORS = frozenset({"DeploymentConfig", "ReplicationController"})
"""A mapping of labels; nothing means those of the template."""
DEFAULTED = frozenset({"apps/v1beta1", "extensions/v1beta1"})
"""Old versions that took a missing selector from the template as well."""
CRON_JOB = ("batch/CronJob",)
FEW: Mapping[int | None, str] = {
    1: "runs a single replica",
    2: "runs two replicas: while one is replaced, the other must not fail",
}
JOBS = frozenset({"CronJob", "Job"})
MAY_RESTART = frozenset({"Never", "OnFailure"})


@pod_check("pod-without-containers")
def pod_without_containers(pod: PodView) -> Flaws:
    """Kubernetes requires one; init and ephemeral containers do not count."""
    if not any(isinstance(container, dict) for container in sequence(pod.spec.get("containers"))):
        yield Flaw(pod.at("containers"), "declares no containers")


@pod_check("restart-policy")
def restart_policy(pod: PodView) -> Flaws:
    """Always is the default; a Job replaces a pod that has failed."""
    if pod.spec.get("restartPolicy") == "Never" and pod.resource.ref.kind not in JOBS:
        yield Flaw(pod.at("restartPolicy"), "is not started again when it fails")


@survey("deployment-replicas", kinds=DEPLOYMENTS)
def deployment_replicas(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """By word or by default, and no autoscaler in the scope that decides; 0 is switched off."""
    stated = dig(dict(resource.value), "spec", "replicas")
    number = 1 if stated is None else whole(stated)
    if number not in FEW or autoscaler_of(resource, neighbours) is not None:
        return {"deployment-replicas": ()}
    return {"deployment-replicas": (Flaw(("spec", "replicas"), FEW[number]),)}


@object_check("rolling-update", kinds=DEPLOYMENTS)
def rolling_update(resource: Resource) -> Flaws:
    """Rolling is the default."""
    strategy = dig(dict(resource.value), "spec", "strategy", "type")
    if strategy is not None and strategy not in ROLLING:
        yield Flaw(("spec", "strategy", "type"), "stops all old pods before it starts a new one")


@object_check("selector-mismatch", kinds=LABEL_SELECTORS | PLAIN_SELECTORS)
def selector_mismatch(resource: Resource) -> Flaws:
    """As the validation of apps/v1: a selector is required, not empty, and selects the template's labels."""
    spec = mapping(resource.value.get("spec"))
    if not isinstance(spec.get("template"), dict):
        return
    selector = mapping(spec.get("selector"))
    way: tuple[str, ...]
    if resource.ref.kind in PLAIN_SELECTORS:
        plain, expressions, way = selector, [], ("spec", "selector")
    else:
        plain, expressions = mapping(selector.get("matchLabels")), sequence(selector.get("matchExpressions"))
        way = ("spec", "selector", "matchLabels")
        if not plain and not expressions and resource.api_version not in DEFAULTED:
            yield Flaw(("spec", "selector"), "has no selector")
    yield from _mismatches(plain, expressions, mapping(dig(spec, "template", "metadata", "labels")), way)


def _mismatches(
    plain: Mapping[str, Json], expressions: list[Json], labels: Mapping[str, Json], way: tuple[str, ...]
) -> Flaws:
    for key, value in plain.items():
        if not carries(labels, {key: value}):
            yield Flaw((*way, key), f"selects by the label {key[:80]}, which its pods do not have with that value")
    for position, expression in enumerate(expressions):
        if not holds(mapping(expression), labels):
            path = ("spec", "selector", "matchExpressions", position)
            yield Flaw(path, "selects by an expression that is not true of its pods")


@object_check("cronjob-deadline", kinds=CRON_JOB)
def cronjob_deadline(resource: Resource) -> Flaws:
    """Unset, missed runs may start however late."""
    if dig(dict(resource.value), "spec", "startingDeadlineSeconds") is None:
        yield Flaw(("spec", "startingDeadlineSeconds"), "does not say how late a run may start")


@object_check("cronjob-restart-policy", kinds=CRON_JOB)
def cronjob_restart_policy(resource: Resource) -> Flaws:
    """The default is Always, which no job may have."""
    way = ("spec", "jobTemplate", "spec", "template", "spec", "restartPolicy")
    if text(dig(dict(resource.value), *way)) not in MAY_RESTART:
        yield Flaw(way, "restarts its pods by a policy that jobs must not have")
