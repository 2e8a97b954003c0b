"""The stored audit is the same to the byte, whatever is remembered and however many work at a time."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

import settings
from cache import Cache
from controls import catalogue as catalogues
from controls.assemble import Terms, assemble
from manifests.load import LoadRequest, load
from model.policy import Policy
from process import Sandbox
from reporting import audit_json
from scanners.base import ScanContext, scopes_of
from scanners.registry import SCANNERS
from toolbox import Toolbox

pytestmark = pytest.mark.tools

MIXED = Path("tests/fixtures/scanners/mixed.yaml").read_text(encoding="utf-8")
CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "image: web:1\n",
    "web/templates/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n"
    "  containers:\n    - name: app\n      image: {{ .Values.image }}\n",
}
FILES = {
    **CHART,
    **{name.replace("web/", "copy/"): text for name, text in CHART.items()},
    "mixed.yaml": MIXED,
    "twice.yaml": MIXED,
    "limits.yaml": "apiVersion: v1\nkind: LimitRange\nmetadata: {name: small}\nspec: {limits: []}\n",
    "shop/kustomization.yaml": "resources: [mixed.yaml]\nnamePrefix: shop-\n",
    "shop/mixed.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: app, image: a}]}\n",
}


class Project:
    """A head, a base that is the same but for what a test changes, and their audits."""

    def __init__(self, folder: Path, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self.head, self.base, self.folder = folder / "head", folder / "base", folder / "cache"
        for name, text in FILES.items():
            for side in (self.head, self.base):
                (side / name).parent.mkdir(parents=True, exist_ok=True)
                (side / name).write_text(text, encoding="utf-8")

    def remembered(self, *, jobs: int = 2, with_base: bool = True) -> list[str]:
        """The audits of a run with the cache."""
        with Cache(self.folder) as cache:
            return self.audits(cache, jobs=jobs, with_base=with_base)

    def audits(self, cache: Cache, *, jobs: int = 2, with_base: bool = True) -> list[str]:
        """Of head and, where wanted, of base."""
        sides = (self.head, self.base)[: 1 + with_base]
        catalogue, version = catalogues.load(), settings.KUBE_VERSION
        day = dt.date(2026, 1, 1)
        terms = Terms(tool_version="0", kube_version=version, policy=Policy(), today=day, keep_passed=True)
        with Sandbox() as sandbox:
            trees = [
                load(
                    LoadRequest(root=side, cwd=side, kube_version=version, jobs=jobs, cache=cache),
                    sandbox,
                    self._toolbox,
                )
                for side in sides
            ]
            context = ScanContext(
                sandbox=sandbox, toolbox=self._toolbox, kube_version=version, timeout=300, jobs=jobs, cache=cache
            )
            scopes = [scope for tree in trees for scope in scopes_of(tree)]
            scans = [scanner.scan(scopes, context) for scanner in SCANNERS.values()]
        assert [scan.unaccounted for scan in scans] == [0] * len(scans)
        return [audit_json.dump(assemble(tree, scans, catalogue, terms)[0]) for tree in trees]


@pytest.fixture
def project(tmp_path: Path, toolbox: Toolbox) -> Project:
    return Project(tmp_path, toolbox)


def test_audits_are_the_same_cold_warm_damaged_and_with_any_number_of_jobs(project: Project) -> None:
    new = project.audits(Cache())
    assert new[0] == new[1]
    assert len(new[0]) > 100_000
    assert project.audits(Cache(), jobs=1, with_base=False) == new[:1]
    assert project.remembered() == new
    assert project.remembered() == new
    assert project.remembered(jobs=4, with_base=False) == new[:1]
    for number, file in enumerate(sorted(project.folder.iterdir())):
        if number % 3 != 1:
            file.write_bytes(file.read_bytes()[: -1 - number])
    assert project.remembered(jobs=1) == new
    shutil.rmtree(project.folder)
    assert project.remembered(jobs=4) == new


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("mixed.yaml", "image: ", "image: other-"),
        ("web/values.yaml", "web:1", "web:2"),
        ("shop/kustomization.yaml", "shop-", "store-"),
        ("limits.yaml", "limits: []", "limits: [{type: Pod}]"),
    ],
)
def test_a_change_of_one_file_is_seen_as_without_a_memory(project: Project, file: str, old: str, new: str) -> None:
    project.remembered(with_base=False)
    path = project.head / file
    changed = path.read_text(encoding="utf-8").replace(old, new)
    assert changed != path.read_text(encoding="utf-8")
    path.write_text(changed, encoding="utf-8")
    head, base = project.remembered()
    assert [head, base] == project.audits(Cache(), jobs=1)
    assert head != base
