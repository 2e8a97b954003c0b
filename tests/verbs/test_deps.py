"""``deps`` against repositories of the test's own on loopback, and ``scan`` on what it has fetched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

import settings
from manifests.load import LoadRequest, load
from model.errors import EnvironmentBrokenError, UsageError
from model.resource import Tree
from process import Sandbox
from tests.registries.site import Page, Site, chart, index, moved, offer, pack, serve, sha256
from tests.revisions.workshop import Workshop
from toolbox import Toolbox
from verbs.caches import usable_cache
from verbs.deps import deps

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ".hardening-gate.yaml"

Write = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as opened:
        yield opened


@pytest.fixture
def other() -> Iterator[Site]:
    with serve() as opened:
        yield opened


class Shop:
    """A checkout, a cache beside it, and what ``deps`` says there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.base, self.cache = folder / "head", folder / "base", folder / "cache"
        self._capsys = capsys
        for root in (self.root, self.base):
            root.mkdir()

    def write(self, files: Mapping[str, str], root: Path | None = None) -> None:
        for name, content in files.items():
            path = (root or self.root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")

    def allow(self, *prefixes: str, root: Path | None = None) -> None:
        self.write({CONFIG: f"version: 1\ndeps: {{allow: {list(prefixes)}}}\n"}, root)

    def deps(self, *words: str | Path) -> tuple[int, str]:
        argv = ["deps", str(self.root), "--root", str(self.root), "--cache", str(self.cache), *map(str, words)]
        wanted = settings.parse(argv, {"HOME": str(self.root.parent)}, terminals=(False, False))
        assert isinstance(wanted, settings.DepsSettings)
        code = int(deps(wanted))
        said = self._capsys.readouterr()
        assert said.err == ""
        return code, said.out

    @property
    def archives(self) -> list[Path]:
        return sorted(self.cache.rglob("*.tgz"))

    def load(self, sandbox: Sandbox, toolbox: Toolbox, root: Path | None = None) -> Tree:
        """What ``scan`` sees."""
        root, cache = root or self.root, self.cache / "charts"
        return load(LoadRequest(cwd=root, root=root, kube_version="1.34", chart_cache=cache), sandbox, toolbox)


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


def db(site: Site, **more: str) -> dict[str, str]:
    return {"name": "db", "version": "1.0.0", "repository": site.url, **more}


def names(tree: Tree) -> list[str]:
    return sorted(resource.ref.name for resource in tree.resources)


# ---------------------------------------------------------------- what is fetched


def test_the_locked_version_is_fetched_once_and_then_needs_no_network(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site, version=">=1.0.0", locked="1.0.1")))
    shop.allow(site.url)
    one, two = pack("db", "1.0.1"), pack("db", "1.0.2")
    site.pages = {
        "/index.yaml": Page(
            body=index(("db", "1.0.2", "two.tgz", sha256(two)), ("db", "1.0.1", "one.tgz", sha256(one)))
        ),
        "/one.tgz": Page(body=one),
    }
    code, said = shop.deps()
    assert (code, said.splitlines()) == (
        0,
        [f"fetched  web: db 1.0.1 from {site.url}", "dependencies: 0 cached, 1 fetched, 0 missing"],
    )
    assert [archive.read_bytes() for archive in shop.archives] == [one]
    asked = list(site.asked)
    assert shop.deps() == (
        0,
        said.replace("fetched  ", "cached   ").replace("0 cached, 1 fetched", "1 cached, 0 fetched"),
    )
    assert site.asked == asked == ["/index.yaml", "/one.tgz"]


def test_the_checkout_stays_as_it_is(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")

    def state() -> list[tuple[Path, int, bytes]]:
        paths = sorted(path for path in shop.root.rglob("*") if path.is_file())
        return [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in paths]

    before = state()
    assert shop.deps()[0] == 0
    assert state() == before


def test_with_a_base_both_sides_are_fetched_for_and_what_they_share_once(shop: Shop, site: Site) -> None:
    one, two, mq = pack("db", "1.0.0"), pack("db", "2.0.0"), pack("mq")
    rows = [("db", "1.0.0", "one", sha256(one)), ("db", "2.0.0", "two", sha256(two)), ("mq", "1.0.0", "mq", sha256(mq))]
    site.pages = {f"/{path}": Page(body=body) for path, body in (("one", one), ("two", two), ("mq", mq))}
    site.pages["/index.yaml"] = Page(body=index(*rows))
    shared = {"name": "mq", "version": "1.0.0", "repository": site.url}
    shop.write(chart(db(site, version="2.0.0"), shared))
    shop.write(chart(db(site, version="1.0.0"), shared), shop.base)
    shop.allow(site.url)
    code, said = shop.deps("--base", shop.base)
    assert code == 0
    assert [row.split(" from ")[0] for row in said.splitlines()[:-1]] == [
        "fetched  web: db 2.0.0",
        "fetched  web: mq 1.0.0",
        "fetched  web: db 1.0.0",
    ]
    assert len(shop.archives) == 3


def test_a_base_may_be_a_commit(shop: Shop, site: Site) -> None:
    one, two = pack("db", "1.0.0"), pack("db", "2.0.0")
    site.pages = {f"/{path}": Page(body=body) for path, body in (("one", one), ("two", two))}
    site.pages["/index.yaml"] = Page(
        body=index(("db", "1.0.0", "one", sha256(one)), ("db", "2.0.0", "two", sha256(two)))
    )
    shop.allow(site.url)
    repository = Workshop(shop.root)
    repository.commit(chart(db(site, version="1.0.0")))
    shop.write(chart(db(site, version="2.0.0")))
    code, said = shop.deps("--base", "HEAD", "--policy", "base")
    assert code == 0
    assert [row.split(" from ")[0] for row in said.splitlines()[:-1]] == [
        "fetched  web: db 2.0.0",
        "fetched  web: db 1.0.0",
    ]


def test_what_is_vendored_is_not_fetched_whatever_its_file_is_called(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site), {"name": "mq", "version": "1.0.0", "repository": "@gone"}))
    shop.write({"web/charts/db/Chart.yaml": "name: db\n"})
    (shop.root / "web" / "charts" / "odd.tgz").write_bytes(pack("mq"))
    assert shop.deps() == (0, "no chart needs what it does not hold\n")


def test_only_charts_that_the_configuration_lists_are_fetched_for(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)) | chart(db(site, version="7.7.7"), name="other"))
    shop.write({CONFIG: f"version: 1\nsources: [{{chart: web}}]\ndeps: {{allow: ['{site.url}']}}\n"})
    offer(site, "db")
    code, said = shop.deps()
    assert (code, "other" in said) == (0, False)


def test_a_chart_in_the_tree_that_is_a_dependency_is_fetched_for_too(shop: Shop, site: Site) -> None:
    local = {"name": "part", "version": "0.1.0", "repository": "file://../part"}
    shop.write(chart(local) | chart(db(site), name="part"))
    shop.allow(site.url)
    offer(site, "db")
    assert shop.deps()[1].startswith("fetched  part: db 1.0.0")


# ---------------------------------------------------------------- what is not


def missing(shop: Shop, *words: str | Path) -> str:
    code, said = shop.deps(*words)
    assert code == 3
    assert "missing  " in said
    assert "next: " in said
    assert shop.archives == []
    return said


@pytest.mark.threat("H6")
def test_without_an_allow_list_nothing_is_asked(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    offer(site, "db")
    said = missing(shop)
    assert "the policy does not allow this repository" in said
    assert f"add '{site.url}' to deps.allow" in said
    assert site.asked == []


def test_a_repository_that_only_looks_like_an_allowed_one_is_not_asked(shop: Shop, site: Site) -> None:
    for repository in (f"{site.url}0", f"{site.url}/charts/../other", f"http://127.0.0.1@{site.host}/charts"):
        shop.write(chart({"name": "db", "version": "1.0.0", "repository": repository}))
        shop.allow(f"{site.url}/charts", "http://127.0.0.1/")
        missing(shop)
    assert site.asked == []


def test_a_cached_chart_does_not_make_its_repository_allowed(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    assert shop.deps()[0] == 0
    shop.allow("https://charts.example")
    assert "does not allow" in shop.deps()[1]


@pytest.mark.threat("H6", "S5")
def test_under_the_policy_of_base_a_change_cannot_allow_itself_a_repository(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    assert "does not allow" in missing(shop, "--base", shop.base, "--policy", "base")
    assert site.asked == []
    shop.allow(site.url, root=shop.base)
    shop.allow()
    assert shop.deps("--base", shop.base, "--policy", "base")[0] == 0


def test_a_wrong_digest_is_refused_and_not_kept(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    site.pages["/db-1.0.0.tgz"] = Page(body=pack("db", "1.0.0", "description: replaced\n"))
    assert "another digest than stated" in missing(shop)


def test_a_redirect_to_a_foreign_host_is_refused(shop: Shop, site: Site, other: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    site.pages["/db-1.0.0.tgz"] = moved(f"{other.url}/db.tgz")
    said = missing(shop)
    assert f"redirects to {other.url}/db.tgz" in said
    assert f"add '{other.url}/'" in said
    assert other.asked == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pack("evil"), "the archive says that it is evil 1.0.0"),
        (pack("db", "1.0.1"), "the archive says that it is db 1.0.1"),
        (pack("db", files={"Chart.yaml": b"- none"}), "the archive says that it is nameless"),
        (b"no archive", "cannot be read"),
        (pack("db", files={"bomb": bytes(70 << 20)}), "unpacks to more than"),
        (pack("db", files={"noise": os.urandom(6 << 20)}), "larger than 5 MiB, which Helm refuses"),
    ],
    ids=range(6),  # the bytes hold the time
)
def test_an_archive_that_is_not_this_chart_is_not_kept(shop: Shop, site: Site, data: bytes, reason: str) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    site.pages = {"/index.yaml": Page(body=index(("db", "1.0.0", "db.tgz", sha256(data)))), "/db.tgz": Page(body=data)}
    assert reason in missing(shop)


def test_an_archive_that_lacks_its_own_dependencies_is_kept_and_told(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db", extra="dependencies: [{name: deep, version: 1.0.0, repository: 'https://x'}]\n")
    code, said = shop.deps()
    assert code == 0
    assert "it does not bring along deep, which it asks for" in said


@pytest.mark.parametrize(
    ("repository", "reason"),
    [
        ("@stable", "a name of the machine of its author"),
        ("git+https://github.com/x/y", "git repositories are not fetched"),
        ("file://../absent", "no chart lies there inside of the tree"),
        ("file:///etc", "no chart lies there inside of the tree"),
        ("", "can only be vendored"),
        ("http://charts.example", "plain http is for loopback only"),
        ("https://user:password@charts.example", "refused"),
    ],
)
def test_what_cannot_be_fetched_from_is_refused_with_its_reason(shop: Shop, repository: str, reason: str) -> None:
    shop.write(chart({"name": "db", "version": "1.0.0", "repository": repository}))
    shop.allow("https://charts.example")
    assert reason in missing(shop)


def test_a_version_that_no_lock_pins_is_not_guessed(shop: Shop, site: Site) -> None:
    shop.write({name: text for name, text in chart(db(site)).items() if name.endswith(".yaml")})
    shop.allow(site.url)
    offer(site, "db")
    said = missing(shop)
    assert "no lock file pins its version" in said
    assert "next: run 'helm dependency update' and commit Chart.lock" in said
    assert site.asked == []


def test_one_that_cannot_be_had_does_not_stop_the_others(shop: Shop, site: Site) -> None:
    shop.write(chart({"name": "gone", "version": "1.0.0", "repository": "http://127.0.0.1:1"}, db(site)))
    shop.write({"broken/Chart.yaml": "name: [\n"})
    shop.allow(site.url, "http://127.0.0.1:1")
    offer(site, "db")
    code, said = shop.deps()
    assert code == 3
    assert "fetched  web: db 1.0.0" in said
    assert "missing  web: gone 1.0.0 from http://127.0.0.1:1: http://127.0.0.1:1/index.yaml cannot be reached" in said
    assert "missing  broken: Chart.yaml, line" in said
    assert said.splitlines()[-1] == "dependencies: 0 cached, 1 fetched, 2 missing"


def test_a_damaged_archive_is_fetched_again(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    data = offer(site, "db")
    shop.deps()
    shop.archives[0].write_bytes(data[:-1])
    assert shop.deps()[1].startswith("fetched  ")
    assert [archive.read_bytes() for archive in shop.archives] == [data]


def test_text_of_the_checkout_speaks_no_commands(shop: Shop) -> None:
    evil = "\n::error::x\x1b[31m##[group]"
    shop.write(
        chart({"name": f"db{evil}", "version": "1.0.0", "repository": f"https://x{evil}"}, name=f"web{evil[1:4]}")
    )
    said = missing(shop)
    assert "\x1b" not in said
    assert "##[" not in said
    assert not [row for row in said.splitlines() if row.lstrip().startswith("::")]


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize(
    "words", [("--base", "absent"), ("--root", "absent"), ("--config", "absent.yaml"), ("--policy", "base")]
)
def test_a_wrong_use_is_told(shop: Shop, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        shop.deps(*words)


def test_an_entry_that_is_no_prefix_is_a_wrong_configuration(shop: Shop) -> None:
    shop.allow("https://user@charts.example")
    with pytest.raises(UsageError, match=r"deps\.allow"):
        shop.deps()


def test_a_cache_inside_of_either_tree_is_refused(shop: Shop) -> None:
    (shop.root.parent / "link").symlink_to(shop.root)
    for cache in (shop.root, shop.root / "x", shop.base / "x", shop.root.parent / "link" / "x"):
        with pytest.raises(UsageError, match="inside of the scanned tree"):
            shop.deps("--base", shop.base, "--cache", cache)
        with pytest.raises(UsageError, match="inside of the scanned tree"):
            usable_cache(cache, shop.cache, [shop.root, shop.base])
    assert usable_cache(None, shop.root / "home", [shop.root]) is None
    assert usable_cache(None, shop.cache, [shop.root]) == shop.cache / "charts"


def test_a_cache_that_cannot_be_written_is_told(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    shop.cache.write_bytes(b"")
    with pytest.raises(EnvironmentBrokenError, match="cannot be used"):
        shop.deps()


def test_proxy_and_certificates_come_from_the_environment() -> None:
    environment = {
        "HOME": "/h",
        "HTTPS_PROXY": "http://p",
        "no_proxy": "a,b",
        "SSL_CERT_FILE": "/c",
        "all_proxy": "http://q",
    }
    wanted = settings.parse(["deps"], environment, terminals=(False, False))
    assert isinstance(wanted, settings.DepsSettings)
    assert (wanted.proxy, wanted.no_proxy, wanted.certificates) == ("http://p", "a,b", "/c")


def test_certificates_that_are_not_there_are_a_wrong_use(shop: Shop) -> None:
    wanted = settings.parse(
        ["deps", str(shop.root)], {"HOME": "/h", "SSL_CERT_FILE": "/absent"}, terminals=(False, False)
    )
    assert isinstance(wanted, settings.DepsSettings)
    with pytest.raises(UsageError, match="certificates"):
        deps(wanted)


def program(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "entrypoint.py", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def test_the_program_ends_with_the_codes_that_are_promised(shop: Shop, site: Site) -> None:
    shop.write(chart(db(site)))
    cache = ("--cache", shop.cache)
    assert program("deps", *cache, cwd=shop.root).returncode == 3
    shop.allow(site.url)
    offer(site, "db")
    assert program("deps", *cache, cwd=shop.root).returncode == 0
    for verb in ("deps", "scan"):
        run = program(verb, "--cache", "inside", cwd=shop.root)
        assert (run.returncode, "inside of the scanned tree" in run.stderr, run.stdout) == (2, True, "")


@pytest.mark.threat("H6")
def test_scanning_imports_nothing_that_fetches() -> None:
    code = (
        "import sys, verbs.scan; sys.exit(bool({'registries', 'verbs.deps', 'requests', 'urllib3'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# ---------------------------------------------------------------- what scan makes of it


@pytest.mark.tools
def test_a_scan_renders_what_was_fetched_with_aliases_and_conditions_and_asks_nobody(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    data, mq = pack("db", files={"templates/pod.yaml": DATABASE}), pack("mq")
    site.pages = {
        "/index.yaml": Page(body=index(("db", "1.0.0", "db", sha256(data)), ("mq", "1.0.0", "mq", sha256(mq)))),
        "/db": Page(body=data),
        "/mq": Page(body=mq),
    }
    switched_off = {"name": "mq", "version": "1.0.0", "repository": site.url, "condition": "mq.enabled"}
    shop.write(chart(db(site, alias="store"), db(site, alias="cache"), switched_off))
    shop.write({"web/values.yaml": "mq: {enabled: false}\nstore: {tag: s}\ncache: {tag: c}\n"})
    shop.allow(site.url)
    code, said = shop.deps()
    assert code == 0, said
    asked = len(site.asked)
    tree = shop.load(sandbox, toolbox)
    assert (names(tree), tree.failures) == (["cache-c", "store-s"], ())
    assert {resource.location.path for resource in tree.resources} == {"web/Chart.yaml"}
    assert len(site.asked) == asked
    assert not (shop.root / "web" / "charts").exists()


DATABASE = b"""\
apiVersion: v1
kind: Pod
metadata: {name: "{{ .Chart.Name }}-{{ .Values.tag }}"}
spec: {containers: [{name: app, image: x}]}
"""


@pytest.mark.tools
def test_a_scan_without_the_chart_says_how_to_get_it(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    shop.write(chart(db(site)))
    offer(site, "db")
    (failure,) = shop.load(sandbox, toolbox).failures
    assert "missing in charts/ directory: db" in failure.reason
    assert "hardening-gate deps web" in failure.remedy
    assert "helm dependency build web" in failure.remedy
    assert site.asked == []


@pytest.mark.tools
def test_a_scan_takes_no_damaged_archive_and_the_failure_stays_the_same_for_a_comparison(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    (before,) = shop.load(sandbox, toolbox).failures
    shop.deps()
    shop.archives[0].write_bytes(pack("db", extra="description: other\n"))
    (failure,) = shop.load(sandbox, toolbox).failures
    assert "the cached archive of db 1.0.0 is damaged" in failure.reason
    assert "hardening-gate deps" in failure.remedy
    assert (failure.digest, failure.path, failure.source) == (before.digest, before.path, before.source)


@pytest.mark.tools
def test_a_lock_that_moved_on_is_not_rendered_with_what_was_fetched_before(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    shop.deps()
    shop.write(chart(db(site, version="1.0.1")))
    assert "missing in charts/" in shop.load(sandbox, toolbox).failures[0].reason
    shop.write({name: text for name, text in chart(db(site, version="^1")).items() if name.endswith(".yaml")})
    assert "missing in charts/" in shop.load(sandbox, toolbox).failures[0].reason


@pytest.mark.tools
def test_a_scan_renders_head_and_base_each_with_its_own_version(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    for version, root in (("1.0.0", shop.base), ("2.0.0", shop.root)):
        data = pack(
            "db",
            version,
            files={"templates/pod.yaml": DATABASE.replace(b".Values.tag", b'.Chart.Version | replace "." "-"')},
        )
        site.pages[f"/{version}"] = Page(body=data)
        shop.write(chart(db(site, version=version)), root)
    rows = [("db", version, version, sha256(page(site, f"/{version}"))) for version in ("1.0.0", "2.0.0")]
    site.pages["/index.yaml"] = Page(body=index(*rows))
    shop.allow(site.url)
    assert shop.deps("--base", shop.base)[0] == 0
    assert names(shop.load(sandbox, toolbox)) == ["db-2-0-0"]
    assert names(shop.load(sandbox, toolbox, shop.base)) == ["db-1-0-0"]


def page(site: Site, path: str) -> bytes:
    found = site.pages[path]
    assert isinstance(found, Page)
    return found.body


@pytest.mark.tools
def test_a_part_of_a_chart_that_lacks_its_dependency_is_never_rendered_without(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox
) -> None:
    local = {"name": "part", "version": "0.1.0", "repository": "file://../part"}
    shop.write(chart(local) | chart(db(site), name="part"))
    shop.allow(site.url)
    offer(site, "db")
    (failure,) = shop.load(sandbox, toolbox).failures
    assert "part needs 'db', which is missing in its charts/ directory" in failure.reason
    assert "hardening-gate deps" in failure.remedy
    shop.deps()
    tree = shop.load(sandbox, toolbox)
    assert (names(tree), tree.failures) == (["db"], ())


@pytest.mark.tools
@pytest.mark.parametrize("name", ["web/charts", "web/charts/db-1.0.0.tgz/x"])
def test_odd_names_in_the_place_of_charts_fail_the_chart_and_nothing_else(
    shop: Shop, site: Site, sandbox: Sandbox, toolbox: Toolbox, name: str
) -> None:
    shop.write(chart(db(site)))
    shop.allow(site.url)
    offer(site, "db")
    assert shop.deps()[0] == 0
    shop.write({name: ""})
    (failure,) = shop.load(sandbox, toolbox).failures
    assert failure.path == "web"
