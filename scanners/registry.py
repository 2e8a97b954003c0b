"""Every scanner by its name. Adding one is a module and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from scanners import kube_score, native, polaris, trivy
from scanners.base import Scanner

SCANNERS: Mapping[str, Scanner] = {
    native.NAME: native,
    polaris.NAME: polaris,
    kube_score.NAME: kube_score,
    trivy.NAME: trivy,
}
