"""Programs whose mere presence, or one setting of theirs, hands over the pod or the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from model.resource import Resource
from model.values import Json, dig, mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, PodView, Step, container_check, object_check, pod_check

DASHBOARD_IMAGE = re.compile(r"(?:^|/)(?:mirrored-)?(?:kubernetesui[/-]dashboard|kubernetes-dashboard)")
DASHBOARD_HELPER = "metrics-scraper"
"""Comes with the dashboard, shows nothing."""
DASHBOARD = "kubernetes-dashboard"
NAME_LABELS = ("app", "app.kubernetes.io/name", "k8s-app")

TILLER = re.compile(r"(?<![a-z0-9])tiller(?![a-z0-9])", re.IGNORECASE)
"""As a word: a distiller is something else."""

GIT_SYNC_IMAGE = re.compile(r"(?:^|[/_.-])git-?sync(?:$|[_.-])")
RUNS_CODE = {
    "GIT_SYNC_EXECHOOK_COMMAND": "runs a hook after each fetch",
    "GIT_SYNC_GIT": "replaces the command git",
    "GIT_SYNC_HOOK_COMMAND": "runs a hook after each fetch",
    "GITSYNC_EXECHOOK_COMMAND": "runs a hook after each fetch",
    "GITSYNC_GIT": "replaces the command git",
    "GITSYNC_GIT_CONFIG": "sets options of git, some of which are commands",
    "--exechook-command": "runs a hook after each fetch",
    "--git": "replaces the command git",
    "--git-config": "sets options of git, some of which are commands",
    "--sync-hook-command": "runs a hook after each fetch",
}
"""Settings of git-sync 3 and 4 that are, or lead to, a command of the pod; flags may begin with one dash."""
REPOSITORY = frozenset({"GIT_SYNC_REPO", "GITSYNC_REPO", "--repo"})
UNPROTECTED = ("git://", "http://")


@object_check("cronjob-persistence", kinds=("CronJob",))
def cronjob_persistence(_: Resource) -> Flaws:
    """Every one: whether it is wanted is for a person to say."""
    yield Flaw(("spec", "schedule"), "runs again and again: somebody should own it")


@pod_check("kubernetes-dashboard")
def kubernetes_dashboard(pod: PodView) -> Flaws:
    """By the image, or by the label that its manifests and its chart give to it."""
    images = list(_images(pod))
    found = [path for path, image in images if DASHBOARD_IMAGE.search(image) and DASHBOARD_HELPER not in image]
    if found:
        yield Flaw(found[0], "is the Kubernetes dashboard")
        return
    labels = mapping(pod.pod.metadata.get("labels"))
    for key in NAME_LABELS:
        if labels.get(key) == DASHBOARD:
            yield Flaw(pod.at_metadata("labels", key), "calls itself the Kubernetes dashboard")
            return


@pod_check("tiller-deployed")
def tiller_deployed(pod: PodView) -> Flaws:
    """By the image, a name, or the two labels that ``helm init`` of Helm 2 wrote."""
    for path, image in _images(pod):
        if TILLER.search(image.rpartition("/")[2]):
            yield Flaw(path, "is Tiller, the server of Helm 2")
            return
    labels = mapping(pod.pod.metadata.get("labels"))
    if TILLER.search(pod.resource.ref.name):
        yield Flaw(("metadata", "name"), "calls itself Tiller, the server of Helm 2")
    elif TILLER.search(text(pod.pod.metadata.get("name"))):
        yield Flaw(pod.at_metadata("name"), "calls itself Tiller, the server of Helm 2")
    elif labels.get("app") == "helm" and labels.get("name") == "tiller":
        yield Flaw(pod.at_metadata("labels", "name"), "calls itself Tiller, the server of Helm 2")


def _images(pod: PodView) -> Iterator[tuple[tuple[Step, ...], str]]:
    for container in pod.pod.containers:
        yield (*container.path, "image"), text(container.value.get("image")).partition("@")[0]


@container_check("git-sync-code-injection", fields=("env", "command", "args"))
def git_sync_code_injection(container: ContainerView) -> Flaws:
    """A command in its settings, or a repository that others choose or can answer for; a branch is what it is for.

    The names of its variables are its own, whatever the image is called; flags count for its image only.
    """
    for steps, name, value in _variables(container):
        if name in RUNS_CODE:
            yield Flaw(container.at(*steps, "name"), f"git-sync {RUNS_CODE[name]}")
        elif name in REPOSITORY and value.get("valueFrom") is not None:
            yield Flaw(container.at(*steps, "valueFrom"), "git-sync fetches a repository that another object names")
        elif name in REPOSITORY and text(value.get("value")).startswith(UNPROTECTED):
            yield Flaw(container.at(*steps, "value"), "git-sync fetches over a connection that others can answer")
    for steps, name, word in _flags(container):
        if name in RUNS_CODE:
            yield Flaw(container.at(*steps), f"git-sync {RUNS_CODE[name]}")
        elif name in REPOSITORY and word.startswith(UNPROTECTED):
            yield Flaw(container.at(*steps), "git-sync fetches over a connection that others can answer")


def _variables(container: ContainerView) -> Iterator[tuple[tuple[Step, ...], str, Mapping[str, Json]]]:
    for position, entry in enumerate(sequence(container.value.get("env"))):
        yield ("env", position), text(dig(entry, "name")), mapping(entry)


def _flags(container: ContainerView) -> Iterator[tuple[tuple[Step, ...], str, str]]:
    """Place, name with two dashes, and value, which may stand behind an equals sign or in the next word."""
    image = text(container.value.get("image")).partition("@")[0].rpartition("/")[2].partition(":")[0]
    if not GIT_SYNC_IMAGE.search(image):
        return
    for field in ("command", "args"):
        words = [text(word) for word in sequence(container.value.get(field))]
        for position, word in enumerate(words):
            if word.startswith("-"):
                name, equals, value = word.partition("=")
                following = "".join(words[position + 1 : position + 2])
                yield (field, position), f"--{name.lstrip('-')}", value if equals else following
