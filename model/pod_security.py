"""Facts of the Pod Security Standards that several rooms need (kubernetes.io/docs, "Pod Security Standards")."""

from __future__ import annotations

BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
"""What baseline lets a container add, spelt exactly so."""
RESTRICTED_CAPABILITIES = frozenset({"NET_BIND_SERVICE"})
"""What restricted lets a container add."""
RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
"""What restricted lets a pod mount (``check_restrictedVolumes``); ``image`` as of Kubernetes 1.33."""
