"""Where missing commits come from, and what the server and the machine get to see of a token."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError
from process import Sandbox
from revisions.origin import Credentials, read_origin
from revisions.repository import Repository
from tests.revisions.hosting import Host, hosting
from tests.revisions.workshop import Workshop, files_below

TOKEN = "t0k3n-4711"
PLACE = Path("/tree")


def basic(user: str, password: str) -> str:
    return "basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


OURS = basic("x-access-token", TOKEN)
THEIRS = basic("x-access-token", "left-by-checkout")


@pytest.fixture
def server(tmp_path: Path) -> Workshop:
    shop = Workshop(tmp_path / "server")
    shop.commit({"a": "1"})
    shop.commit({"a": "2"})
    return shop


@pytest.fixture
def host(server: Workshop) -> Iterator[Host]:
    with hosting(Host(place=server.place.parent)) as host:
        yield host


@pytest.fixture
def clone(server: Workshop, host: Host, tmp_path: Path) -> Workshop:
    """A shallow checkout, whose base is missing."""
    clone = server.clone(tmp_path / "clone", "--depth=1")
    clone.git("remote", "set-url", "origin", f"{host.url}/server/.git")
    return clone


def obtain(clone: Workshop, server: Workshop, sandbox: Sandbox, credentials: Credentials | None = None) -> None:
    """Fetch the base, and see that it is there."""
    repository = Repository.around(clone.place, sandbox, credentials=credentials)
    assert repository is not None
    wanted = server.git("rev-parse", "HEAD^")
    assert repository.obtain(wanted) == wanted
    assert repository.export(wanted, sandbox.private("export")) == ()


def leave(clone: Workshop, host: Host) -> None:
    """What actions/checkout leaves in the checkout's own configuration."""
    clone.git("config", f"http.{host.url}/.extraheader", f"AUTHORIZATION: {THEIRS}")


def test_a_server_that_asks_nobody_is_told_nothing(
    clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox
) -> None:
    obtain(clone, server, sandbox)
    assert set(host.seen) == {None}


@pytest.mark.threat("P5", "P6")
def test_a_token_reaches_its_server_and_no_list_of_processes(clone: Workshop, server: Workshop, host: Host) -> None:
    leave(clone, host)
    host.wanted = OURS
    words: list[str] = []
    with Sandbox(observer=lambda command, about, _finished: words.extend((*command, about))) as sandbox:
        obtain(clone, server, sandbox, Credentials(token=TOKEN, server=host.url))
        on_disk = [path for path in sandbox.root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert set(host.seen) == {OURS}
    shown = "\0".join((*words, *host.arguments))
    assert "git-remote-http" in shown
    assert TOKEN not in shown
    assert OURS.split()[1] not in shown
    assert on_disk == []
    assert TOKEN not in repr(Credentials(token=TOKEN, server=host.url))


@pytest.mark.parametrize("where", ["in the configuration", "in a file that it includes"])
def test_without_a_token_what_the_checkout_was_made_with_counts(
    where: str, clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox
) -> None:
    host.wanted = THEIRS
    if "includes" in where:
        kept = clone.place.parent / "git-credentials.config"
        kept.write_text(f'[http "{host.url}/"]\n\textraheader = AUTHORIZATION: {THEIRS}\n', encoding="utf-8")
        clone.git("config", f"includeIf.gitdir:{clone.place}/.git.path", str(kept))
    else:
        leave(clone, host)
    obtain(clone, server, sandbox, Credentials(token=TOKEN, server="https://elsewhere.example"))
    assert set(host.seen) == {THEIRS}


def test_credentials_in_the_url_reach_the_server_and_nobody_else(
    clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox
) -> None:
    host.wanted = basic("me@x", "p/w")
    clone.git("remote", "set-url", "origin", host.url.replace("//", "//me%40x:p%2Fw@") + "/server/.git")
    obtain(clone, server, sandbox)
    assert set(host.seen) == {host.wanted}
    assert not [line for line in host.arguments if "p%2Fw" in line or "p/w" in line]


@pytest.mark.threat("P5")
def test_no_error_repeats_a_token(clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox) -> None:
    host.wanted = "basic another"
    clone.git("remote", "set-url", "origin", host.url.replace("//", "//me:s3cr3t@") + "/server/.git")
    leave(clone, host)
    for credentials in (None, Credentials(token=TOKEN, server=host.url)):
        with pytest.raises(EnvironmentBrokenError, match="cannot be had: fatal: ") as raised:
            obtain(clone, server, sandbox, credentials)
        said = f"{raised.value.message} {raised.value.remedy}"
        assert "contents: read" in said
        assert not [secret for secret in (TOKEN, "s3cr3t", OURS.split()[1], THEIRS.split()[1]) if secret in said]


@pytest.mark.parametrize("who", ["ours", "theirs", "in the url"])
@pytest.mark.threat("P15")
def test_a_token_does_not_follow_a_redirection(
    who: str, clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox
) -> None:
    if who == "theirs":
        leave(clone, host)
    if who == "in the url":
        clone.git("remote", "set-url", "origin", host.url.replace("//", "//u:p@") + "/server/.git")
    ours = Credentials(token=TOKEN, server=host.url) if who == "ours" else None
    with hosting(Host(place=server.place.parent)) as stranger:
        host.redirect = stranger.url
        with pytest.raises(EnvironmentBrokenError, match="cannot be had"):
            obtain(clone, server, sandbox, ours)
    assert set(host.seen) - {None}
    assert stranger.requested == []


def test_who_has_no_token_is_redirected(clone: Workshop, server: Workshop, host: Host, sandbox: Sandbox) -> None:
    with hosting(Host(place=server.place.parent)) as other:
        host.redirect = other.url
        obtain(clone, server, sandbox, Credentials(token=TOKEN, server="https://elsewhere.example"))
    assert other.requested
    assert set(other.seen) == {None}


def test_proxies_are_those_that_are_named_and_for_fetching_only(
    clone: Workshop, sandbox: Sandbox, tmp_path: Path
) -> None:
    clone.git("remote", "set-url", "origin", "http://git.invalid/server/.git")
    with hosting(Host(place=tmp_path)) as proxy:
        repository = Repository.around(clone.place, sandbox, network={"http_proxy": proxy.url})
        assert repository is not None
        repository.commit("HEAD")
        assert proxy.requested == []
        proxy.redirect = "http://elsewhere.invalid"
        with pytest.raises(EnvironmentBrokenError, match="cannot be had"):
            repository.obtain("nowhere")
    assert proxy.requested
    assert proxy.requested[0].startswith("http://git.invalid/server/.git/info/refs")


# What a URL says


@pytest.mark.parametrize(
    ("url", "protocol"),
    [
        ("https://github.com/o/r", "https"),
        ("HTTP://x/o", "http"),
        ("git@github.com:o/r.git", "ssh"),
        ("host:path", "ssh"),
        ("ssh://git@host/o", "ssh"),
        ("git://host/o", "git"),
        ("file:///srv/x", "file"),
        ("/srv/x", "file"),
        ("./a:b", "file"),
        ("../a:b", "file"),
        ("srv/x:y", "file"),
    ],
)
def test_the_protocol_is_the_one_that_git_would_use(url: str, protocol: str) -> None:
    assert read_origin([("remote.origin.url", url)], PLACE, None).protocol == protocol


@pytest.mark.parametrize("url", ["ext::sh -c id", "fd::17", "a::b", "ftp://x/y", "persistent-https://x"])
@pytest.mark.threat("P6")
def test_a_protocol_that_starts_programs_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(EnvironmentBrokenError) as raised:
        read_origin([("remote.origin.url", url)], PLACE, None)
    assert "sh -c" not in raised.value.message


@pytest.mark.parametrize("rest", ["h/o/r", "[x/", "a@h:8443/o/r", "h", ""])
def test_a_url_is_told_to_git_without_its_user(rest: str) -> None:
    for user in ("u:p@", "u@", "@", "u:p%40@"):
        origin = read_origin([("remote.origin.url", f"https://{user}{rest}")], PLACE, None)
        assert origin.url == f"https://{rest.rpartition('@')[2]}"
        assert "u:p" not in repr(origin)


def test_a_path_is_relative_to_the_checkout() -> None:
    assert read_origin([("remote.origin.url", "../server")], PLACE, None).url == "/tree/../server"
    assert read_origin([("remote.origin.url", "/server")], PLACE, None).url == "/server"


def test_the_first_url_counts_and_there_must_be_one() -> None:
    two = [("remote.origin.url", "https://a/x"), ("remote.origin.url", "https://b/x")]
    assert read_origin(two, PLACE, None).url == "https://a/x"
    for none in ([], [("remote.origin.url", "")]):
        with pytest.raises(EnvironmentBrokenError, match="no remote `origin`"):
            read_origin(none, PLACE, None)


@pytest.mark.parametrize("server", ["https://github.com", "https://github.com/"])
@pytest.mark.threat("P15")
def test_a_token_is_for_its_server_only(server: str) -> None:
    ours = Credentials(token=TOKEN, server=server)
    there = read_origin([("remote.origin.url", "https://github.com/o/r")], PLACE, ours)
    assert there.headers == (("http.https://github.com/.extraheader", f"AUTHORIZATION: {OURS}"),)
    for url in ("https://github.com.evil.example/o/r", "http://github.com/o/r", "https://evil.example/github.com"):
        assert read_origin([("remote.origin.url", url)], PLACE, ours).headers == ()


def test_what_is_left_for_another_server_does_not_stand_in_for_what_the_url_says() -> None:
    left = [("http.https://other/.extraheader", "AUTHORIZATION: x"), ("http.extraheader", "AUTHORIZATION: y")]
    origin = read_origin([("remote.origin.url", "https://u:p@host/x"), *left], PLACE, None)
    assert origin.headers == (("http.https://host/.extraheader", f"AUTHORIZATION: {basic('u', 'p')}"),)


def test_a_repository_of_which_nothing_is_here_is_asked_for_commits_only(
    server: Workshop, host: Host, sandbox: Sandbox
) -> None:
    host.wanted = OURS
    head = server.git("rev-parse", "HEAD")
    afar = Repository.afar(
        f"{host.url}/server", sandbox, form="sha1", credentials=Credentials(token=TOKEN, server=host.url)
    )
    assert list(afar.work_tree.glob("*.yaml")) == []
    assert afar.obtain("main") == head
    assert afar.parents(head) == (server.git("rev-parse", "HEAD^"),)
    folder = sandbox.private("export")
    assert afar.export(head, folder) == ()
    assert files_below(folder)
    assert not (afar.work_tree / "a").exists()
    assert set(host.seen) == {OURS}
    with pytest.raises(EnvironmentBrokenError, match="cannot be had"):
        afar.obtain("refs/pull/7/merge")


def test_hooks_of_the_machine_do_not_run_in_it(
    server: Workshop, host: Host, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template" / "hooks"
    template.mkdir(parents=True)
    (template / "reference-transaction").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n", encoding="utf-8")
    (template / "reference-transaction").chmod(0o755)
    monkeypatch.setenv("GIT_TEMPLATE_DIR", str(template.parent))
    assert Repository.afar(f"{host.url}/server", sandbox, form="sha1").obtain("main") == server.git("rev-parse", "HEAD")
    assert not (tmp_path / "ran").exists()
