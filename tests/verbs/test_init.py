"""``init``: what it sees, what it writes, and what it never does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controls import catalogue
from controls.configuration import Configuration
from manifests import entries
from manifests.discovery import discover, tops
from manifests.text.parse import parse
from model.errors import EnvironmentBrokenError, ExitCode, UsageError
from model.policy import Policy
from model.sources import ChartEntry, Environment, KustomizeEntry, ManifestsEntry
from settings import CONFIG, InitSettings
from settings import parse as parse_settings
from verbs.init import WORKFLOW, NothingFoundError, default_branch, init
from verbs.init.first_look import FirstLook, Offered, look
from verbs.init.other_scanners import traces
from verbs.init.starter_files import TEMPLATES, configuration, scalar, workflow

ROOT = Path(__file__).resolve().parents[2]
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: 'web:1'}]}\n"
CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
SHOP = {
    ".git/HEAD": "ref: refs/heads/feature\n",
    ".git/objects/info/packs": "",
    ".git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/trunk\n",
    "charts/web/Chart.yaml": CHART,
    "charts/web/values.yaml": "replicas: 1\n",
    "charts/web/values-prod.yaml": "replicas: 3\n",
    "charts/web/values.staging.yml": "replicas: 2\n",
    "charts/web/ci/tls-values.yaml": "tls: true\n",
    "charts/web/ci/default-values.yaml": "",
    "charts/web/templates/pod.yaml": POD,
    "deploy/base/kustomization.yaml": "resources: [pod.yaml]\n",
    "deploy/base/pod.yaml": POD,
    "deploy/prod/kustomization.yaml": "resources: [../base]\n",
    "raw/pod.yaml": POD,
    "raw/notes.yaml": "about: nothing\n",
}


def plant(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return plant(tmp_path / "shop", SHOP)


def without(root: Path, *words: str) -> Path:
    """The shop less the files whose names hold one of these words."""
    for name in SHOP:
        if any(word in name for word in words):
            (root / name).unlink()
    return root


def wanted(root: Path | None, *words: str) -> InitSettings:
    named = [] if root is None else ["--root", str(root)]
    read = parse_settings(["init", *named, *words], {"HOME": "/home/dev"}, terminals=(False, False))
    assert isinstance(read, InitSettings)
    return read


def read_configuration(text: str) -> Configuration:
    parsed = parse(text.encode())
    assert not parsed.broken
    (document,) = parsed.documents
    assert not document.duplicate_keys
    return Configuration(CONFIG, document.value, document.marks)


def policy(text: str) -> Policy:
    return read_configuration(text).policy(catalogue.load().controls)


def uncommented(text: str) -> str:
    """With all keys that are commented out; prose has a space after its #."""
    for _ in range(3):
        text = re.sub(r"(?m)^( *)#(?! \S)(?=\S|  )", r"\1", text)
    return text


def triggers(text: str) -> Any:
    return yaml.safe_load(text)[True]  # YAML 1.1 reads `on` as true


# ---------------------------------------------------------------- what is seen


def test_charts_kustomizations_and_raw_manifests_are_seen(shop: Path) -> None:
    seen = look(shop)
    assert [each.path for each in seen.charts] == ["charts/web"]
    assert seen.kustomizations == ("deploy/prod",)
    assert seen.manifests == (("raw", 1),)
    assert not seen.failures


def test_values_files_are_environments_called_after_the_file_and_those_of_ci_are_only_offered(shop: Path) -> None:
    (chart,) = look(shop).charts
    assert [(each.name, each.files) for each in chart.environments] == [
        ("prod", ("values-prod.yaml",)),
        ("staging", ("values.staging.yml",)),
    ]
    assert [(each.name, each.files) for each in chart.trials] == [
        ("ci-default", ("ci/default-values.yaml",)),
        ("tls", ("ci/tls-values.yaml",)),
    ]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("values-a.yaml", "sops: {mac: x}\n", "it is encrypted"),
        ("values-a.yaml", "[1, 2]\n", "it is not one YAML mapping"),
        ("values-a.yaml", "a: {{ .Values.b }}\n", "it is not one YAML mapping"),
        ("values-a.yaml", POD, "it is a manifest"),
    ],
)
def test_what_is_only_named_like_values_is_not_offered_and_the_file_says_why(
    shop: Path, name: str, text: str, reason: str
) -> None:
    plant(shop, {f"charts/web/{name}": text})
    seen = look(shop)
    assert "a" not in {each.name for each in seen.charts[0].environments}
    assert f"# not offered: charts/web/{name}: {reason}" in configuration(seen)


def test_a_schema_of_values_is_no_environment(shop: Path) -> None:
    plant(shop, {"charts/web/values.schema.yaml": "type: object\n"})
    assert "schema" not in configuration(look(shop))


def test_a_values_file_behind_a_link_is_not_offered(shop: Path) -> None:
    (shop / "charts/web/values-secret.yaml").symlink_to("/etc/passwd")
    assert "secret" not in {each.name for each in look(shop).charts[0].environments}


def test_names_of_environments_differ_and_are_valid(shop: Path) -> None:
    files = ("values_prod.yaml", "prod-values.yml", "values-ö ä.yaml", "values-" + "x" * 90 + ".yaml", "values/qa.yaml")
    plant(shop, {f"charts/web/{name}": "a: 1\n" for name in files})
    names = [each.name for each in look(shop).charts[0].environments]
    assert len(set(names)) == len(names) == 7
    assert {"prod", "prod-2", "prod-3", "qa"} <= set(names)
    (chart, *_) = read_configuration(configuration(look(shop))).sources()
    assert isinstance(chart, ChartEntry)
    assert [each.name for each in chart.environments] == ["default", *names]


def test_dependencies_that_a_chart_lacks_are_named_with_where_they_could_come_from(shop: Path) -> None:
    dependency = "dependencies: [{name: redis, version: 1.x.x, repository: 'https://charts.example/stable'}]\n"
    plant(shop, {"charts/web/Chart.yaml": CHART + dependency})
    text = configuration(look(shop))
    assert "# charts/web needs redis from https://charts.example/stable" in text
    assert policy(text).chart_repositories == ()
    assert policy(uncommented(text)).chart_repositories == ("https://charts.example/stable",)


def test_folders_of_examples_are_offered_for_exclusion_and_not_excluded(shop: Path) -> None:
    plant(shop, {"tests/e2e/pod.yaml": POD, "a [b]/examples/deep/pod.yaml": POD})
    text = configuration(look(shop))
    assert policy(text).exclude == ()
    globs = policy(uncommented(text)).exclude
    found = discover(tops((".",), shop, shop, required=True), globs)
    assert sorted(each.path for each in found.excluded) == ["a [b]/examples", "tests"]


def test_a_repository_that_is_all_examples_is_not_told_to_exclude_itself(tmp_path: Path) -> None:
    assert look(plant(tmp_path, {"examples/a/pod.yaml": POD})).examples == ()


def test_what_other_scanners_are_told_is_counted_and_named(shop: Path) -> None:
    plant(
        shop,
        {
            ".polaris.yaml": "checks: {}\n",
            "sub/.trivyignore": "KSV-0012\n",
            ".kube-linter.yaml": "checks: {}\n",
            "raw/a.yaml": "metadata:\n  annotations:\n    polaris.fairwinds.com/exempt: 'true'\n",
            "charts/web/templates/b.yaml": "polaris.fairwinds.com/runAsRootAllowed-exempt: 'true'\n"
            "kube-score/ignore: pod-networkpolicy\n",
            ".git/polaris.yaml": "",
        },
    )
    found = {each.what: each for each in traces(shop)}
    assert found["Polaris"].where == ".polaris.yaml"
    assert found["Trivy"].where == "sub/.trivyignore"
    assert found["KubeLinter"].becomes.startswith("not read")
    exempt = found["Polaris exempt annotations"]
    assert (exempt.count, exempt.files, exempt.where) == (2, 2, "charts/web/templates/b.yaml")
    assert found["kube-score ignore annotations"].count == 1
    assert all(each.becomes.startswith("not ") for each in found.values())
    assert len(traces(shop)) == 5


def test_what_is_not_honoured_is_said(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant(shop, {".trivyignore": "", "raw/a.yaml": "# trivy:ignore:KSV-0012\n# trivy:ignore:KSV-0013\n"})
    init(wanted(shop))
    rows = capsys.readouterr().out.partition("for other scanners\n")[2].splitlines()
    assert rows[0].startswith("  .trivyignore (Trivy): not honoured")
    assert rows[1].startswith("  Trivy ignore comments (2 in 1 file, first in raw/a.yaml): not honoured")


def test_a_repository_that_cannot_be_read_is_an_error_before_anything_is_written(shop: Path) -> None:
    plant(shop, {"other/.git": "gitdir: ../nowhere\n", "other/pod.yaml": POD})
    with pytest.raises(EnvironmentBrokenError):
        init(wanted(shop / "other"))
    assert not (shop / "other" / CONFIG).exists()


# ---------------------------------------------------------------- the configuration


def test_the_configuration_lists_what_was_found_with_its_environments(shop: Path) -> None:
    chart, *others = read_configuration(configuration(look(shop))).sources()
    assert isinstance(chart, ChartEntry)
    assert chart.environments == (
        Environment(name="default", files=("values.yaml",)),
        Environment(name="prod", files=("values-prod.yaml",)),
        Environment(name="staging", files=("values.staging.yml",)),
    )
    assert others == [KustomizeEntry(path="deploy/prod"), ManifestsEntry(path=".")]


def test_nothing_is_left_out_by_the_list(shop: Path) -> None:
    here = tops((".",), shop, shop, required=True)
    listed = read_configuration(configuration(look(shop))).sources()
    before = discover(here, ())
    after = discover(here, (), listed=entries.folders(listed, shop))
    entries.keep_listed(after, listed)
    entries.require_listed(after, listed, here, shop)
    assert not after.failures
    assert not after.excluded
    assert [each.path for each in after.charts] == [each.path for each in before.charts]
    assert [each.path for each in after.kustomizations] == [each.path for each in before.kustomizations]
    assert after.manifests == before.manifests


def test_without_environments_everything_is_searched_for_and_the_list_is_a_comment(shop: Path) -> None:
    text = configuration(look(without(shop, "values-prod", "values.staging")))
    assert read_configuration(text).sources() == ()
    chart, *_ = read_configuration(uncommented(text)).sources()
    assert isinstance(chart, ChartEntry)
    assert [each.name for each in chart.environments] == ["default", "ci-default", "tls"]


def test_a_name_that_is_not_utf8_is_not_listed_half(shop: Path) -> None:
    plant(shop, {os.fsdecode(b"raw/\xff/kustomization.yaml"): "resources: []\n"})
    assert read_configuration(configuration(look(shop))).sources() == ()


def test_what_is_not_commented_out_is_the_default_policy(shop: Path) -> None:
    assert policy(configuration(look(shop))) == Policy()


def test_every_key_that_is_commented_out_is_valid_and_known_ones_are_at_their_defaults(shop: Path) -> None:
    text = uncommented(configuration(look(shop)))
    read = policy(text)
    assert (read.gate, read.scanners, read.unused_waivers) == (
        Policy().gate,
        Policy().scanners,
        Policy().unused_waivers,
    )
    assert read.waivers
    assert read.break_glass
    assert set(yaml.safe_load(text)) == set(yaml.safe_load(_example()))


def _example() -> str:
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/configuration.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=40).filter(
    lambda name: name not in {".", ".."}
)


@given(NAMES, NAMES)
def test_no_name_of_a_repository_becomes_yaml(folder: str, file: str) -> None:
    chart = Offered(
        path=folder,
        environments=(Environment(name="prod", files=(file,)),),
        trials=(),
        has_own_values=False,
        passed_over=(f"{file}\n  evil: true",),
        missing=(f"{file} from {folder}",),
        repositories=(f"https://{file}",),
    )
    seen = FirstLook(
        charts=(chart,), kustomizations=(folder,), manifests=((folder, 1),), failures=(), examples=(folder,)
    )
    text = configuration(seen)
    if "\ufffd" in folder + file:
        assert read_configuration(text).sources() == ()
        return
    read = yaml.safe_load(text)
    assert set(read) == {"version", "sources"}
    assert read["sources"][0] == {"chart": folder, "environments": {"prod": [file]}}
    assert read["sources"][1] == {"kustomize": folder}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_scalar_is_read_as_what_was_written(text: str) -> None:
    assert yaml.safe_load(f"- {scalar(text)}") == [text]
    assert parse(f"- {scalar(text)}".encode()).documents[0].value == [text]


# ---------------------------------------------------------------- the workflow


def test_the_workflow_runs_for_pull_requests_merge_groups_and_the_default_branch() -> None:
    text = workflow("trunk")
    assert triggers(text) == {"pull_request": None, "merge_group": None, "push": {"branches": ["trunk"]}}
    assert yaml.safe_load(text)["permissions"] == {}
    assert yaml.safe_load(text)["jobs"]["hardening"]["permissions"] == {
        "contents": "read",
        "pull-requests": "write",
        "statuses": "write",
        "security-events": "write",
    }


def test_only_a_push_saves_the_cache_that_others_restore() -> None:
    steps = yaml.safe_load(workflow("main"))["jobs"]["hardening"]["steps"]
    cached = {step["uses"].partition("@")[0]: step for step in steps if "cache/" in step["uses"]}
    restore, save = cached["actions/cache/restore"], cached["actions/cache/save"]
    assert "if" not in restore
    assert "github.event_name == 'push'" in save["if"]
    assert restore["with"]["path"] == save["with"]["path"] == steps[2]["with"]["cache"]


def test_no_step_of_the_workflow_is_a_script_and_no_expression_holds_what_a_stranger_writes() -> None:
    text = workflow("main")
    assert not [step for step in yaml.safe_load(text)["jobs"]["hardening"]["steps"] if "run" in step]
    known = {"github.ref", "github.run_id", "github.run_attempt", "runner.temp", "github.event_name == 'pull_request'"}
    assert set(re.findall(r"\$\{\{ (.*?) \}\}", text)) == known


@pytest.mark.threat("P10")
def test_the_actions_of_the_workflow_are_the_commits_that_this_repository_uses() -> None:
    pin = re.compile(r"uses: (actions/\w+)(?:/\w+)?@(\S+ # \S+)")
    ours = set(pin.findall((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")))
    template = (TEMPLATES / "workflow.yml").read_text(encoding="utf-8")
    assert set(pin.findall(template)) <= ours
    assert len(re.findall(r"(?m)^ +(?:- )?uses: ", template)) == len(pin.findall(template)) + 1


def test_the_inputs_that_the_workflow_names_are_those_of_the_action() -> None:
    known = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    steps = yaml.safe_load(workflow("main").replace('# warn-only: "true"', 'warn-only: "true"'))
    (own,) = (step for step in steps["jobs"]["hardening"]["steps"] if step["uses"].startswith("OWNER/"))
    assert set(own["with"]) == {"cache", "warn-only"} <= set(known)


@pytest.mark.parametrize("branch", ["release/**", "a'b", "no [x]", "x\ny: z", "", "-x"])
def test_a_branch_that_would_be_a_pattern_or_yaml_is_not_written(branch: str) -> None:
    assert triggers(workflow(branch))["push"] == {"branches": ["main"]}


@pytest.mark.parametrize("branch", ["on", "1.10", "release/1.x", "null", "2026-01-01"])
def test_a_branch_stays_a_string(branch: str) -> None:
    assert triggers(workflow(branch))["push"] == {"branches": [branch]}


@pytest.mark.parametrize(
    ("files", "branch"),
    [
        ({}, "trunk"),
        ({".git/refs/remotes/origin/HEAD": "ref: refs/remotes/origin/rel/1\n"}, "rel/1"),
        ({".git/refs/remotes/origin/HEAD": "", ".git/refs/heads/master": "0" * 40}, "master"),
        ({".git/refs/remotes/origin/HEAD": "", ".git/packed-refs": f"{'0' * 40} refs/remotes/origin/main\n"}, "main"),
        ({".git/refs/remotes/origin/HEAD": ""}, "feature"),
        ({".git/refs/remotes/origin/HEAD": "", ".git/HEAD": "ref: refs/heads/.invalid\n"}, "main"),
    ],
)
def test_the_default_branch_is_what_the_clone_says(shop: Path, files: Mapping[str, str], branch: str) -> None:
    assert default_branch(plant(shop, files)) == branch


def test_without_a_repository_it_is_main(tmp_path: Path) -> None:
    assert default_branch(tmp_path) == "main"


# ---------------------------------------------------------------- the verb


def test_both_files_are_written_and_the_end_says_what_to_do(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(wanted(shop)) == ExitCode.PASSED
    assert read_configuration((shop / CONFIG).read_text(encoding="utf-8")).sources()
    assert triggers((shop / WORKFLOW).read_text(encoding="utf-8"))["push"] == {"branches": ["trunk"]}
    said = capsys.readouterr().out
    assert f"written: {CONFIG}\n" in said
    assert "charts/web (also as prod, staging; 2 in ci/, not scanned)" in said
    commands = said.partition("\nnext\n")[2].splitlines()
    assert [re.sub(r"^ *cd \S+ && | +#.*", "", row) for row in commands] == [
        "hardening-gate scan",
        f"grep -n OWNER {WORKFLOW}",
        f"git add {CONFIG} {WORKFLOW}",
    ]


def test_two_repositories_of_the_same_content_get_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        init(wanted(plant(tmp_path / name, SHOP)))
    for file in (CONFIG, WORKFLOW):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_second_run_sees_the_same_and_writes_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(wanted(shop))
    before = configuration(look(shop))
    capsys.readouterr()
    assert init(wanted(shop)) == ExitCode.PASSED
    said = capsys.readouterr().out
    assert "written" not in said
    assert said.count("left as it is") == 2
    assert (shop / CONFIG).read_text(encoding="utf-8") == before


def test_a_file_that_exists_stays_as_it_is_and_the_other_is_written(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(shop, {CONFIG: "version: 1\n"})
    init(wanted(shop))
    assert (shop / CONFIG).read_text(encoding="utf-8") == "version: 1\n"
    assert (shop / WORKFLOW).is_file()
    assert f"left as it is: {CONFIG}, which exists" in capsys.readouterr().out


def test_a_dry_run_shows_all_and_writes_nothing(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(shop.rglob("*"))
    assert init(wanted(shop, "--dry-run")) == ExitCode.PASSED
    assert sorted(shop.rglob("*")) == before
    said = capsys.readouterr().out
    for text in (configuration(look(shop)), workflow("trunk")):
        assert "\n".join(f"    {row}" for row in text.splitlines()) in said


@pytest.mark.parametrize("place", [".github", ".github/workflows", WORKFLOW, CONFIG])
def test_nothing_is_written_through_a_link(shop: Path, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (shop / place).parent.mkdir(parents=True, exist_ok=True)
    (shop / place).symlink_to(outside if place.startswith(".github") and place != WORKFLOW else outside / "new")
    with pytest.raises(UsageError, match="is a symbolic link"):
        init(wanted(shop))
    assert list(outside.iterdir()) == []
    assert place == CONFIG or not (shop / CONFIG).exists()


@pytest.mark.parametrize(("place", "reason"), [(".github", "is no folder"), (f"{WORKFLOW}/x", "is no file")])
def test_what_stands_in_the_way_is_named_and_nothing_is_written(shop: Path, place: str, reason: str) -> None:
    plant(shop, {place: ""})
    with pytest.raises(UsageError, match=reason):
        init(wanted(shop))
    assert not (shop / CONFIG).exists()


def test_a_repository_with_nothing_to_scan_gets_nothing_and_exit_code_3(tmp_path: Path) -> None:
    plant(tmp_path, {"README.md": "no manifests\n", "data.yaml": "a: 1\n"})
    with pytest.raises(NothingFoundError) as raised:
        init(wanted(tmp_path))
    assert raised.value.exit_code == ExitCode.INCOMPLETE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "data.yaml"]


def test_a_repository_with_only_a_broken_chart_is_not_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(wanted(plant(tmp_path, {"web/Chart.yaml": "{"}))) == ExitCode.PASSED
    assert re.search(r"cannot be read +1  web: ", capsys.readouterr().out)


def test_a_folder_inside_of_a_repository_is_refused_as_root(shop: Path) -> None:
    with pytest.raises(UsageError, match="lies inside of the repository"):
        init(wanted(shop / "charts"))
    with pytest.raises(UsageError, match="is no folder"):
        init(wanted(shop / "absent"))


def test_no_name_of_a_repository_reaches_the_terminal_as_a_command(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant(shop, {"::error::x\x1b[2J\nnext/Chart.yaml": CHART, "##[group]/pod.yaml": POD})
    init(wanted(shop))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "##[" not in said
    assert not re.search(r"(?m)^\s*::", said)


def test_from_a_folder_below_the_program_finds_the_top(shop: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "entrypoint.py"), "init"],
        cwd=shop / "charts" / "web",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (shop / WORKFLOW).is_file()
    assert f"cd {shop} && git add" in done.stdout


@pytest.mark.tools
def test_the_configuration_that_is_written_scans_all_that_was_scanned_before(shop: Path) -> None:
    before = scanned(shop)
    init(wanted(shop))
    after = scanned(shop)
    assert before == {"charts/web", "kustomize:deploy/prod", "manifests:."}
    names = {"default", "prod", "staging"}
    assert after == before - {"charts/web"} | {f"charts/web?values={name}" for name in names}


def scanned(root: Path) -> set[str]:
    words = ("scan", ".", "--root", ".", "--scanners", "native", "--format", "json", "--no-cache", "--warn-only")
    done = subprocess.run(
        [sys.executable, str(ROOT / "entrypoint.py"), *words],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    audit = yaml.safe_load(done.stdout)
    assert not audit["coverage"]["unscanned"]
    return {source["id"] for source in audit["sources"]}
