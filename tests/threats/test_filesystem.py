"""What a checkout may hold besides manifests: links, devices, names and archives that lead elsewhere."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from manifests.load import LoadRequest, load
from process import Limits, Sandbox
from tests.manifests.helm.test_chart_copy import archive
from tests.threats.program import (
    BAD,
    CANARY,
    CHART,
    POD,
    audit,
    enterable,
    failed,
    gate,
    native,
    reports,
    tool_cache,
    write,
)
from toolbox import Toolbox

LEAK = POD.replace("NAME", '{{ .Values.secret | default "none" }}-{{ .Files.Get "files/e" | b64enc | trunc 20 }}')
MEMORY = 400 << 20


@pytest.mark.threat("F1")
def test_nothing_outside_of_the_tree_is_opened_and_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "repository", {"ok.yaml": BAD, "d/b.yaml": POD})
    outside = write(tmp_path / "outside", {"secret.yaml": BAD.replace("NAME", CANARY)})
    links = {
        "out.yaml": outside / "secret.yaml",
        "environ.yaml": Path("/proc/self/environ"),
        "zero.json": Path("/dev/zero"),
        "loop.yaml": Path("loop.yaml"),
        "folder": outside,
        "share": Path("/usr/share"),
        "root": Path("/"),
        "self": Path(),
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    os.mkfifo(root / "fifo.yaml")
    monkeypatch.chdir(root)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.yaml")
        run = native(".", "--format", "json", cwd=root, environment={"SECRET": CANARY}, memory=MEMORY)
    told = {row["path"] for row in audit(run)["failures"]}
    assert (run.code, run.seconds < 10) == (3, True), run.err
    assert told == {*links, "fifo.yaml", "socket.yaml"} - {"self"}
    assert failed(audit(run), "privileged-container") == ["NAME"]
    assert CANARY not in run.out + run.err


LINKED = {
    "web": "",
    "web/files": "",
    "web/files/e": "e",
    "web/templates/_e.tpl": "e",
    "values.yaml": "values.yaml",
    "envs": "",
}
"""What is a link in the repository, and where below the outside it leads."""


@pytest.mark.threat("F1", "H1")
@pytest.mark.tools
@pytest.mark.parametrize("link", LINKED)
def test_no_link_leads_helm_out_of_the_tree(link: str, tmp_path: Path) -> None:
    chart = {"Chart.yaml": CHART, "templates/a.yaml": LEAK}
    outside = write(tmp_path / "outside", {**chart, "e": CANARY, "values.yaml": f"secret: {CANARY}\n"})
    files = {**{f"web/{name}": text for name, text in chart.items()}, "envs/values.yaml": "", "values.yaml": ""}
    kept = {name: text for name, text in files.items() if not name.startswith((f"{link}/", link))}
    root = write(tmp_path / "repository", kept)
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    (root / link).symlink_to(outside / LINKED[link])
    values = [] if link.startswith("web") else ["--values=web=envs/values.yaml,values.yaml"]
    run = native("web", *values, "--format", "json", cwd=root)
    assert (run.code, "symbolic link" in run.out) == (3, True), run.err
    assert audit(run)["resources"] == []
    assert CANARY not in run.out + run.err


@pytest.mark.threat("H1", "P5")
@pytest.mark.tools
def test_even_a_chart_with_a_link_in_it_prints_nothing_of_ours(sandbox: Sandbox, toolbox: Toolbox) -> None:
    """The second line: the copy holds no link, and were there one, Helm could not read through it."""
    template = "".join(f'{{{{ .Files.Get "files/{name}" }}}}\n' for name in ("one", "us"))
    with sandbox.folder("chart") as folder:
        write(folder / "web", {"Chart.yaml": CHART, "templates/a.yaml": f"x: |\n  {template}", "files/z": ""})
        (folder / "web" / "files" / "us").symlink_to(f"/proc/{os.getpid()}/environ")
        (folder / "web" / "files" / "one").symlink_to("/proc/1/environ")
        words = (toolbox.path("helm"), "template", "x", "./web")
        done = sandbox.run(words, cwd=folder, limits=Limits(seconds=30))
    printed = done.stdout + done.stderr.encode()
    assert not [name for name, value in os.environb.items() if name + b"=" + value in printed and len(value) > 12]
    assert "permission denied" in done.stderr


@contextmanager
def _swapping(*turns: Callable[[], None]) -> Iterator[None]:
    """Takes turns until it is left."""
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for turn in turns:
                turn()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.threat("F2")
def test_a_file_that_changes_while_we_look_is_one_of_its_states_and_never_the_target_of_a_link(
    tmp_path: Path, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    outside = write(tmp_path, {"secret.yaml": BAD.replace("NAME", CANARY)}) / "secret.yaml"
    root = write(tmp_path / "repository", {"a.yaml": POD})
    beside = tmp_path / "beside"

    def link() -> None:
        beside.symlink_to(outside)
        beside.replace(root / "a.yaml")

    def file() -> None:
        beside.write_text(POD, encoding="utf-8")
        beside.replace(root / "a.yaml")

    names: set[str] = set()
    refused, deadline = 0, time.monotonic() + 1.5
    with _swapping(link, file):
        while time.monotonic() < deadline or not (names and refused):
            tree = load(LoadRequest(cwd=root, root=root, kube_version="1.34"), sandbox, toolbox)
            names |= {resource.ref.name for resource in tree.resources}
            refused += len(tree.failures)
            assert len(tree.resources) + len(tree.failures) == 1
    assert names == {"NAME"}


@pytest.mark.threat("F2")
@pytest.mark.tools
def test_scanners_see_what_we_have_read_and_not_what_the_tree_holds_by_then(tmp_path: Path) -> None:
    root = write(enterable(tmp_path / "repository"), {"a.yaml": BAD})
    root.chmod(0o777)  # so that the scanner, which is nobody, can do it at all
    (root / "a.yaml").chmod(0o666)
    home = tool_cache(tmp_path / "evil", polaris=f"echo gone > {root}/a.yaml; exit 1")
    words = ("scan", ".", "--root", root, "--scanners", "native,polaris,kube-score", "--format", "json")
    value = audit(gate(*words, cwd=root, environment=home))
    (row,) = (row for row in value["results"] if row["control"] == "privileged-container")
    assert (root / "a.yaml").read_text(encoding="utf-8") == "gone\n"
    assert {each["scanner"] for each in row["witnesses"]} == {"native", "kube-score"}
    assert {each["scanner"] for each in value["failures"]} == {"polaris"}


FORGED = (
    "---\n# Source: %s\napiVersion: v1\nkind: Pod\nmetadata: {name: p%d}\nspec: {hostNetwork: true, containers: []}\n"
)
PLACES = ("/etc/passwd", "../../etc/passwd", "web/../../x.yaml", "other/templates/a.yaml", "javascript:alert(1)", "")


@pytest.mark.threat("F3")
@pytest.mark.tools
def test_no_source_line_name_or_alias_leads_a_report_out_of_the_chart(tmp_path: Path) -> None:
    forged = "".join(FORGED % (place, number) for number, place in enumerate(PLACES))
    alias = "dependencies: [{name: db, version: 1.0.0, alias: ../../../evil}]\n"
    root = write(
        tmp_path,
        {
            "web/Chart.yaml": CHART,
            "web/templates/a.yaml": forged,
            "alias/Chart.yaml": CHART.replace("web", "alias") + alias,
            "alias/charts/db/Chart.yaml": CHART.replace("web", "db"),
            "alias/charts/db/templates/b.yaml": POD,
            "evil/Chart.yaml": CHART.replace("web", "../../evil"),
            "evil/templates/c.yaml": POD,
        },
    )
    run = native(".", *reports(tmp_path / "out"), cwd=root)
    value = json.loads((tmp_path / "out" / "json").read_bytes())
    assert run.code == 3, run.err
    assert {row["path"] for row in value["failures"]} >= {"evil"}
    assert len([row for row in value["resources"] if row["source"] == "web"]) == len(PLACES)
    assert {row["location"]["path"] for row in value["resources"] if row["source"] == "web"} <= {
        "web/templates/a.yaml",
        "web/Chart.yaml",
    }
    for row in (*value["resources"], *value["results"]):
        assert (root / row["location"]["path"]).resolve().is_relative_to(root.resolve())
        assert (root / row["location"]["path"]).is_file()


NAMES = (
    b"-o.yaml",
    b"--config=x.yaml",
    b"a\nb.yaml",
    b"a'b\"c`d.yaml",
    b"a b\tc.yaml",
    b"::error::x.yaml",
    b"\xff\xfe.yaml",
    b"%2e%2e%2f.yaml",
    b"$(touch owned).yaml",
    "\u202egpj.yaml".encode(),
    "n\u0303.yaml".encode(),
    "\u00f1.yaml".encode(),
    b"App.yaml",
    b"app.yaml",
    b"x" * 250 + b".yaml",
)


@pytest.mark.threat("F4", "F7", "P1")
@pytest.mark.tools
def test_whatever_a_file_is_called_every_scanner_sees_what_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    for number, name in enumerate(NAMES):
        (root / os.fsdecode(name)).write_text(BAD.replace("NAME", f"pod-{number}"), encoding="utf-8")
    run = gate("scan", ".", "--root", root, "--verbose", *reports(tmp_path / "out"), cwd=root)
    value = json.loads((tmp_path / "out" / "json").read_bytes())
    assert (run.code, value["failures"]) == (0, []), run.err
    assert failed(value, "privileged-container") == sorted(f"pod-{number}" for number in range(len(NAMES)))
    for row in value["results"]:
        if row["control"] == "privileged-container":
            assert {each["scanner"] for each in row["witnesses"]} == {"native", "polaris", "kube-score", "trivy"}
    order = [row["location"]["path"] for row in value["resources"]]
    assert order == [name.decode(errors="replace") for name in sorted(NAMES)]
    assert sorted(os.fsencode(path.name) for path in root.iterdir()) == sorted(NAMES)


@pytest.mark.threat("F4", "P1")
@pytest.mark.tools
def test_whatever_charts_values_and_templates_are_called_helm_takes_none_for_an_option(tmp_path: Path) -> None:
    folders = ("--debug", "-o=x", "a b", "::error::", "--post-renderer=touch")
    for name in folders:
        template = POD.replace("NAME", '{{ .Values.name | default "none" }}')
        write(tmp_path, {f"{name}/Chart.yaml": CHART, f"{name}/templates/--help.yaml": template})
        write(tmp_path, {f"{name}/--set name=evil.yaml": "name: ok\n"})
    values = [f"--values={name}={name}/--set name=evil.yaml" for name in folders if "=" not in name]
    run = native(".", *values, "--format=json", cwd=tmp_path)
    rows = audit(run)["resources"]
    assert {(row["source"].partition("?")[0], row["name"]) for row in rows} == {
        (name, "none" if "=" in name else "ok") for name in folders
    }
    assert {row["location"]["path"] for row in rows} == {f"{name}/templates/--help.yaml" for name in folders}
    assert run.code == 0, run.err


BOMB = gzip.compress(bytes(64 << 20)) * 75


@pytest.mark.threat("F5", "P11")
@pytest.mark.tools
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (archive(("../../evil", b"x")), "leads out of it"),
        (archive(("db/e", "/proc/self/environ"), kind=b"2"), "a link"),
        (BOMB, "unpacks to more than"),
        (archive(("db/charts/x-1.tgz", BOMB[:4_000_000])), "unpacks to more than"),
    ],
    ids=["traversal", "link", "five gigabytes", "bomb in an archive"],
)
def test_a_packed_dependency_that_attacks_is_refused_in_little_time_and_memory(
    data: bytes, reason: str, tmp_path: Path
) -> None:
    write(tmp_path, {"web/Chart.yaml": CHART, "web/charts/db-1.0.0.tgz": data, "ok.yaml": BAD})
    write(tmp_path, {"web/templates/a.yaml": POD})
    run = native(".", "--format", "json", cwd=tmp_path)
    value = audit(run)
    assert (run.code, run.seconds < 10) == (3, True), run.err
    assert [(row["path"], reason in row["reason"]) for row in value["failures"]] == [("web", True)], value["failures"]
    assert failed(value, "privileged-container") == ["NAME"]


@pytest.mark.threat("F6")
@pytest.mark.tools
def test_a_chart_that_prints_without_measure_is_ended_and_leaves_no_file_behind(tmp_path: Path) -> None:
    flood = '{{ range until 90000 }}x{{ . }}: {{ repeat 1000 "x" }}\n{{ end }}'
    write(tmp_path / "r", {"web/Chart.yaml": CHART, "web/templates/a.yaml": flood, "ok.yaml": BAD})
    scratch = enterable(tmp_path / "scratch")
    run = native(".", "--format", "json", cwd=tmp_path / "r", environment={"TMPDIR": str(scratch)})
    assert run.code == 3, run.err
    assert [row["path"] for row in audit(run)["failures"]] == ["web"]
    assert "renders to more than 64 MiB" in audit(run)["failures"][0]["reason"]
    assert failed(audit(run), "privileged-container") == ["NAME"]
    assert list(scratch.iterdir()) == []
