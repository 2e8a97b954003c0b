from __future__ import annotations

from pathlib import Path

import pytest

from manifests.kustomize.origins import Origins
from tests.resources import resources


@pytest.mark.parametrize(
    ("kind", "name", "generated", "stem"),
    [
        ("ConfigMap", "app-config-2b5c7d9f4k", True, "app-config"),
        ("Secret", "app-2b5c7d9f4k", True, "app"),
        ("ConfigMap", "app-config-2b5c7d9f4k", False, None),
        ("ConfigMap", "app-config", True, None),
        ("ConfigMap", "app-config-2b5c7d9f4a", True, None),
        ("Role", "app-2b5c7d9f4k", True, None),
    ],
)
def test_the_hash_of_a_name_is_known_where_the_build_says_that_the_object_is_generated(
    kind: str, name: str, *, generated: bool, stem: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "kustomization.yaml"
    file.write_text("configMapGenerator: [{name: app-config}]\n", encoding="utf-8")
    (built,) = resources(f"{{apiVersion: v1, kind: {kind}, metadata: {{name: {name}}}}}")
    assert Origins(tmp_path).place(built, file, generated=generated).stem == stem
