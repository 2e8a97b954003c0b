"""Whether the data of persistent volumes is encrypted, where a manifest can tell; elsewhere there is no verdict."""

from __future__ import annotations

from collections.abc import Mapping

from model.resource import Resource, ResourceRef
from model.values import Json, dig, mapping, text
from scanners.native.engine import Flaw, Neighbours, Verdicts, survey

CONTROL = "persistent-volume-encryption"
ALWAYS = frozenset(
    {
        "blob.csi.azure.com",
        "blockvolume.csi.oraclecloud.com",
        "disk.csi.azure.com",
        "dobs.csi.digitalocean.com",
        "file.csi.azure.com",
        "filestore.csi.storage.gke.io",
        "fss.csi.oraclecloud.com",
        "fsx.csi.aws.com",
        "kubernetes.io/azure-disk",
        "kubernetes.io/azure-file",
        "kubernetes.io/gce-pd",
        "pd.csi.storage.gke.io",
        "vpc.block.csi.ibm.io",
    }
)
"""Drivers of providers that encrypt all data at rest, as their documentation says."""
ON_REQUEST = (
    "cephfs.csi.ceph.com",
    "csi.scaleway.com",
    "diskplugin.csi.alibabacloud.com",
    "driver.longhorn.io",
    "ebs.csi.aws.com",
    "kubernetes.io/aws-ebs",
    "pxd.portworx.com",
    "rbd.csi.ceph.com",
)
"""Drivers that encrypt when a parameter asks for it; Ceph's may carry a prefix of their operator."""
SECURE = "secure"
"""Portworx's word for it."""
OFF = frozenset({"", "0", "disabled", "false", "no", "none", "off"})
IN_TREE_ALWAYS = ("azureDisk", "azureFile", "gcePersistentDisk")


@survey(CONTROL, kinds=("storage.k8s.io/StorageClass", "/PersistentVolume"))
def persistent_volume_encryption(resource: Resource, neighbours: Neighbours) -> Verdicts:
    """A class by its driver and parameters; a volume by its own source, else by its class in the same scope."""
    if resource.ref.kind == "StorageClass":
        is_encrypted = _of_class(resource)
        path: tuple[str, ...] = ("parameters", "encrypted")
    else:
        is_encrypted = _of_volume(mapping(resource.value.get("spec")), neighbours)
        path = ("spec",)
    if is_encrypted is None:
        return {}
    return {CONTROL: () if is_encrypted else (Flaw(path, "does not ask its driver to encrypt the data"),)}


def _of_class(resource: Resource) -> bool | None:
    """None where the driver is none that we know."""
    return _asks(text(resource.value.get("provisioner")), mapping(resource.value.get("parameters")))


def _of_volume(spec: Mapping[str, Json], neighbours: Neighbours) -> bool | None:
    """A volume made by hand is as its maker made it: only always, or an attribute, counts."""
    if any(spec.get(source) is not None for source in IN_TREE_ALWAYS):
        return True
    driver, attributes = text(dig(spec.get("csi"), "driver")), mapping(dig(spec.get("csi"), "volumeAttributes"))
    if _asks(driver, attributes):
        return True
    name = text(spec.get("storageClassName"))
    ref = ResourceRef(group="storage.k8s.io", kind="StorageClass", namespace="", name=name)
    verdicts = {_of_class(each) for each in neighbours.named(ref)}
    return verdicts.pop() if len(verdicts) == 1 else None


def _asks(driver: str, parameters: Mapping[str, Json]) -> bool | None:
    if driver in ALWAYS or any(_turns_on(key, value) for key, value in parameters.items()):
        return True
    return False if any(driver == each or driver.endswith(f".{each}") for each in ON_REQUEST) else None


def _turns_on(key: str, value: Json) -> bool:
    """By the word in the name of the parameter, as all drivers that have one call it; its value must not deny it."""
    name = key.lower()
    return (name == SECURE or "encrypt" in name) and (value is True or text(value).strip().lower() not in OFF)
