"""Every external scanner tells how many objects it looks at, and ends with all of them, whatever happens."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from process import Sandbox
from scanners import kube_score, polaris, trivy
from scanners.base import Scope
from tests.resources import resources
from tests.scanners.fakes import CRASH, HANG, SILENCE, context, fake_toolbox

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: {containers: [{name: app, image: a}]}"
ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: []"
SCOPES = (
    Scope(resources=resources(f"{POD.replace('NAME', 'a')}\n---\n{ROLE}")),
    Scope(resources=resources(POD.replace("NAME", "a"), source="manifests:b")),
)


class Listener:
    """Adds up what it is told, from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.more: Counter[str] = Counter()
        self.done: Counter[str] = Counter()

    def __call__(self, what: str, /, *, more: int = 0, done: int = 0) -> None:
        with self._lock:
            self.more[what] += more
            self.done[what] += done


@pytest.mark.parametrize(("adapter", "objects"), [(polaris, 3), (kube_score, 1), (trivy, 2)])
@pytest.mark.parametrize("script", [CRASH, SILENCE, HANG])
def test_what_a_scanner_is_to_look_at_is_done_in_the_end_even_if_it_fails(
    adapter: ModuleType, objects: int, script: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    """Trivy judges equal objects once; for kube-score, which ignores kinds it does not know, the scopes are equal."""
    listener = Listener()
    around = context(sandbox, fake_toolbox(tmp_path, adapter.NAME, script), timeout=1)
    adapter.scan(SCOPES, replace(around, progress=listener))
    assert listener.more == {adapter.NAME: objects}
    assert listener.done == listener.more
