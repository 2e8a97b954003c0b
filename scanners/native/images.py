"""Image references and how images are pulled."""

from __future__ import annotations

import re

from model.values import text
from scanners.native.engine import ContainerView, Flaw, Flaws, container_check

DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]+")
"""``algorithm:hex``; what else stands behind an ``@`` pins nothing."""
DEPRECATED_REGISTRIES = ("k8s.gcr.io/", "gcr.io/google-containers/", "gcr.io/google_containers/")


@container_check("image-tag")
def image_tag(container: ContainerView) -> Flaws:
    """A digest fixes the version as well."""
    tag, digest = tag_and_digest(_image(container))
    if not digest and tag in {"", "latest"}:
        yield Flaw(container.at("image"), "names the tag latest" if tag else "names no image tag")


@container_check("image-digest")
def image_digest(container: ContainerView) -> Flaws:
    """Only a digest cannot be moved."""
    _, digest = tag_and_digest(_image(container))
    if not digest:
        yield Flaw(container.at("image"), "is not pinned by digest")


@container_check("image-pull-policy")
def image_pull_policy(container: ContainerView) -> Flaws:
    """The policy in effect: unset is Always for ``latest``, which no tag and no digest means as well."""
    policy = container.value.get("imagePullPolicy")
    tag, digest = tag_and_digest(_image(container))
    if policy == "Always" or (not policy and (tag or ("" if digest else "latest")) == "latest"):
        return
    yield Flaw(container.at("imagePullPolicy"), "may run a copy of the image that lies on the node")


@container_check("image-registry-deprecated", fields=("image",))
def image_registry_deprecated(container: ContainerView) -> Flaws:
    """Frozen in April 2023."""
    if _image(container).startswith(DEPRECATED_REGISTRIES):
        yield Flaw(container.at("image"), "comes from the frozen registry k8s.gcr.io")


def tag_and_digest(image: str) -> tuple[str, str]:
    """Tag and digest of a reference, empty where it has none; the colon of a registry's port is no tag."""
    name, _, digest = image.partition("@")
    return name.rpartition("/")[2].partition(":")[2], digest if DIGEST.fullmatch(digest) else ""


def _image(container: ContainerView) -> str:
    return text(container.value.get("image")).strip()
