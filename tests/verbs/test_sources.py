from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry, SourceEntry
from verbs.sources import settle_sources


def chart(**environments: str) -> ChartEntry:
    rows = tuple(Environment(name=name, files=(file,)) for name, file in environments.items())
    return ChartEntry(path="charts/web", environments=rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("charts/web/prod.yaml", "charts/web/new.yaml", "overlays/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    return tmp_path


def test_a_source_that_head_drops_while_its_files_are_there_stays_required(root: Path) -> None:
    base: tuple[SourceEntry, ...] = (chart(), KustomizeEntry(path="overlays"), ManifestsEntry(path="gone"))
    settled = settle_sources((ManifestsEntry(path="deploy"),), base, root, may_narrow=False)
    assert settled.head == (ManifestsEntry(path="deploy"), chart(), KustomizeEntry(path="overlays"))
    assert settled.only


def test_a_list_that_is_new_in_head_narrows_nothing_unless_head_decides(root: Path) -> None:
    assert not settle_sources((chart(),), (), root, may_narrow=False).only
    assert settle_sources((chart(),), (), root, may_narrow=True).only
    assert not settle_sources((), (), root, may_narrow=True).only


def test_a_renamed_values_file_is_read_from_either_side_and_a_dropped_environment_stays(root: Path) -> None:
    head, base = chart(prod="new.yaml"), chart(prod="old.yaml", edge="prod.yaml", gone="gone.yaml")
    settled = settle_sources((head,), (base,), root, may_narrow=False)
    assert settled.head == (chart(prod="new.yaml", edge="prod.yaml"),)
    assert settled.base == (chart(prod="old.yaml", edge="prod.yaml"),)


@pytest.mark.threat("S5")
def test_other_files_under_the_name_of_an_environment_do_not_replace_those_that_are_still_there(root: Path) -> None:
    head, base = chart(prod="new.yaml"), chart(prod="prod.yaml")
    settled = settle_sources((head,), (base,), root, may_narrow=False)
    assert settled.head == (chart(prod="new.yaml", **{"prod as in base": "prod.yaml"}),)
    assert settled.base == (chart(prod="prod.yaml", **{"prod as in base": "prod.yaml"}),)


@pytest.mark.threat("S5")
def test_the_kubernetes_version_of_a_chart_is_that_of_base(root: Path) -> None:
    head, base = replace(chart(), kube_version="1.29"), replace(chart(), kube_version="1.33")
    settled = settle_sources((head,), (base,), root, may_narrow=False)
    assert [each.kube_version for each in (*settled.head, *settled.base) if isinstance(each, ChartEntry)] == [
        "1.33"
    ] * 2


def test_base_is_rendered_without_an_environment_whose_files_it_does_not_have(root: Path) -> None:
    settled = settle_sources((chart(prod="new.yaml"),), (chart(),), root, root / "base", may_narrow=False)
    assert settled.head == (chart(prod="new.yaml"),)
    assert settled.base == (chart(),)
