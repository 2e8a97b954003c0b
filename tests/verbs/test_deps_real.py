"""``deps`` against what people run: charts that Helm packed and locked, an OCI registry, a plain web server."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import settings
from manifests.load import LoadRequest, load
from process import Sandbox
from toolbox import Toolbox
from verbs.deps import deps

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Release.Name }}-{{ .Chart.Name }}-{{ .Chart.Version | replace "+" "-" }}"}
spec: {containers: [{name: app, image: x}]}
"""


class Helm:
    """The pinned Helm with a home of its own."""

    def __init__(self, binary: Path, home: Path) -> None:
        self._binary, self._home = binary, home

    def __call__(self, *words: str | Path) -> str:
        environment = {"HOME": str(self._home), "PATH": "/nonexistent"}
        run = subprocess.run(
            [self._binary, *words], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 0, run.stderr
        return run.stdout


@pytest.fixture
def helm(toolbox: Toolbox, tmp_path: Path) -> Helm:
    return Helm(toolbox.path("helm"), tmp_path / "home")


@pytest.fixture
def registry(toolbox: Toolbox) -> Iterator[str]:
    """HOST:PORT of an OCI registry."""
    command: list[str | Path] = [toolbox.path("crane"), "registry", "serve", "--address", "127.0.0.1:0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        try:
            found = re.search(r"serving on port (\d+)", child.stderr.readline())
            assert found
            yield f"127.0.0.1:{found[1]}"
        finally:
            child.kill()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name of the base class
        pass


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder, and the URL under which a web server shows it."""
    folder = tmp_path / "repository"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def make(folder: Path, name: str, version: str, more: str = "") -> Path:
    chart = folder / name
    (chart / "templates").mkdir(parents=True, exist_ok=True)
    chart.joinpath("Chart.yaml").write_text(
        f"apiVersion: v2\nname: {name}\nversion: {version}\n{more}", encoding="utf-8"
    )
    chart.joinpath("templates", "pod.yaml").write_text(POD, encoding="utf-8")
    return chart


@pytest.mark.tools
def test_what_deps_and_scan_make_of_a_chart_is_what_helm_makes_of_it(  # noqa: PLR0917 each a server or a tool
    tmp_path: Path,
    helm: Helm,
    registry: str,
    repository: tuple[Path, str],
    sandbox: Sandbox,
    toolbox: Toolbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, url = repository
    sources, tree = tmp_path / "sources", tmp_path / "tree"
    for version in ("1.2.3", "1.2.4", "2.0.0"):
        helm("package", make(sources, "db", version), "--destination", folder)
    helm("repo", "index", folder)
    for version in ("0.3.0+up1", "0.4.0"):
        helm("package", make(sources, "mq", version), "--destination", tmp_path)
        helm("push", tmp_path / f"mq-{version}.tgz", f"oci://{registry}/team/charts", "--plain-http")
    asked = (
        "dependencies:\n"
        f"- {{name: db, version: '>=1.0.0 <1.2.4', repository: '{url}/', alias: store, tags: [back, '<x&y>']}}\n"
        f"- {{name: mq, version: 0.3.0+up1, repository: 'oci://{registry}/team/charts', condition: mq.on}}\n"
    )
    web = make(tree, "web", "0.1.0", asked)
    helm("dependency", "update", web, "--plain-http")
    expected = helm("template", "rel", web)
    for archive in (web / "charts").iterdir():
        archive.unlink()
    (web / "charts").rmdir()
    allow = f"version: 1\ndeps: {{allow: ['{url}', 'oci://{registry}/team']}}\n"
    tree.joinpath(".hardening-gate.yaml").write_text(allow, encoding="utf-8")

    cache = tmp_path / "cache"
    argv = ["deps", str(tree), "--root", str(tree), "--cache", str(cache)]
    wanted = settings.parse(argv, dict(os.environ), terminals=(False, False))
    assert isinstance(wanted, settings.DepsSettings)
    assert deps(wanted) == 0
    said = capsys.readouterr().out
    assert f"fetched  web: db 1.2.3 from {url}/" in said
    assert f"fetched  web: mq 0.3.0+up1 from oci://{registry}/team/charts" in said

    request = LoadRequest(cwd=tree, root=tree, kube_version="1.34", release_name="rel", chart_cache=cache / "charts")
    found = load(request, sandbox, toolbox)
    assert found.failures == ()
    names = sorted(re.findall(r"(?m)^metadata: \{name: \"(.*)\"\}$", expected))
    assert names == ["rel-mq-0.3.0-up1", "rel-store-1.2.3", "rel-web-0.1.0"]
    assert sorted(resource.ref.name for resource in found.resources) == names
