"""Checkouts and trees in which git as people use it would run what an attacker wrote, or change what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError
from process import Sandbox
from revisions import git
from revisions.export import Absence
from revisions.repository import Repository
from tests.revisions.workshop import Workshop, files_below

HOOKS = (
    "applypatch-msg",
    "fsmonitor-watchman",
    "post-checkout",
    "post-index-change",
    "post-update",
    "pre-auto-gc",
    "proc-receive",
    "reference-transaction",
)
CONFIG = """
[core]
    fsmonitor = EVIL
    hooksPath = HOOKS
    sshCommand = EVIL
    pager = EVIL
    editor = EVIL
    askPass = EVIL
    gitProxy = EVIL
    alternateRefsCommand = EVIL
    attributesFile = ATTRIBUTES
[alias]
    rev-parse = !EVIL
    config = !EVIL
[credential]
    helper = !EVIL
[diff]
    external = EVIL
[diff "evil"]
    textconv = EVIL
    command = EVIL
[filter "evil"]
    smudge = EVIL
    clean = EVIL
    required = true
[filter "lfs"]
    smudge = EVIL
    process = EVIL
    required = true
[gpg]
    program = EVIL
[init]
    templateDir = HOOKS
[log]
    showSignature = true
[merge "evil"]
    driver = EVIL
[pager]
    rev-parse = EVIL
    config = EVIL
[protocol]
    allow = always
[remote "origin"]
    uploadpack = EVIL
    receivepack = EVIL
    proxy = EVIL
[safe]
    bareRepository = all
[submodule]
    recurse = true
[submodule "sub"]
    url = ext::EVIL
    update = !EVIL
    active = true
[uploadpack]
    packObjectsHook = EVIL
"""
ATTRIBUTES = """
*.yaml filter=evil diff=evil merge=evil
*.sub export-subst ident
*.gone export-ignore
*.crlf text eol=crlf
*.utf16 text working-tree-encoding=UTF-16LE
*.lfs filter=lfs diff=lfs merge=lfs -text
"""
TREE: dict[str, str | bytes] = {
    ".gitattributes": ATTRIBUTES,
    ".gitignore": "*.yaml\n",
    ".gitmodules": '[submodule "sub"]\n\tpath = sub\n\turl = ext::EVIL\n\tupdate = !EVIL\n',
    "a.yaml": "a: 1\n",
    "ignored.gone": "there\n",
    "id.sub": "$Id$ $Format:%H%n%an$\n",
    "lines.crlf": b"one\ntwo\r\nthree\rfour",
    "text.utf16": "plain\n",
    "big.lfs": "no pointer\n",
    "bytes": b"\x00\xff\xfe\r\n\x1a",
}


class Trap:
    """A checkout that is armed in every way that we know, and the file that appears when anything goes off."""

    def __init__(self, place: Path) -> None:
        self.sprung = place / "sprung"
        self.evil = place / "evil"
        self.evil.write_text(f'#!/bin/sh\necho "$0 $*" >>{self.sprung}\nexit 1\n', encoding="utf-8")
        self.evil.chmod(0o755)
        self.hooks = place / "hooks"
        self.hooks.mkdir()
        for name in HOOKS:
            (self.hooks / name).symlink_to(self.evil)
        (place / "attributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
        self.config = self.filled(CONFIG).replace("HOOKS", str(self.hooks))
        self.config = self.config.replace("ATTRIBUTES", str(place / "attributes"))
        self.server = Workshop(place / "server")
        self.tree = {name: self.filled(text) if isinstance(text, str) else text for name, text in TREE.items()}
        self.server.commit(self.tree | {"a.yaml": "a: 0\n"})
        self.base = self.with_submodule()
        self.server.commit(self.tree)
        self.head = self.with_submodule()

    def filled(self, text: str) -> str:
        return text.replace("EVIL", str(self.evil))

    def with_submodule(self) -> str:
        self.server.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
        self.server.git("commit", "--quiet", "--amend", "--no-edit")
        return self.server.git("rev-parse", "HEAD")

    def checkout(self, place: Path, *options: str) -> Workshop:
        """A clone, armed when it is there."""
        clone = self.server.clone(place, *options)
        with (clone.place / ".git/config").open("a", encoding="utf-8") as stream:
            stream.write(self.config)
        for name in HOOKS:
            (clone.place / ".git/hooks").mkdir(exist_ok=True)
            (clone.place / ".git/hooks" / name).unlink(missing_ok=True)
            (clone.place / ".git/hooks" / name).symlink_to(self.evil)
        return clone


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


def around(place: Path, sandbox: Sandbox) -> Repository:
    repository = Repository.around(place, sandbox)
    assert repository is not None
    return repository


def use(place: Path, sandbox: Sandbox, trap: Trap) -> None:
    """All that a run does: what comes out is what was committed, byte by byte."""
    repository = around(place, sandbox)
    assert repository.commit("HEAD") == trap.head
    assert repository.obtain(repository.parents(trap.head)[0]) == trap.base
    repository.merge_base(trap.head, trap.base)
    for name in ("origin/nowhere", "f" * 40, "abcdef"):
        with pytest.raises(EnvironmentBrokenError):
            repository.obtain(name)
    head = sandbox.private("head")
    for commit, folder, like in ((trap.head, head, None), (trap.base, sandbox.private("base"), (trap.head, head))):
        gaps = repository.export(commit, folder, like=like)
        assert [(gap.path, gap.reason) for gap in gaps] == [("sub", Absence.SUBMODULE)]
        assert files_below(folder) == trap.server.content(commit)


@pytest.mark.parametrize(
    "options", [("--depth=1",), ("--depth=1", "--filter=blob:none", "--sparse"), ("--no-checkout",)]
)
@pytest.mark.threat("P6", "P7", "S7")
def test_nothing_that_a_checkout_is_told_to_run_runs_and_every_byte_is_as_committed(
    options: Sequence[str], trap: Trap, tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap.server.git("config", "uploadpack.allowFilter", "true")
    clone = trap.checkout(tmp_path / "clone", *options)
    for name in (
        "GIT_SSH_COMMAND",
        "GIT_EXTERNAL_DIFF",
        "GIT_PAGER",
        "GIT_ASKPASS",
        "GIT_PROXY_COMMAND",
        "GIT_EXEC_PATH",
    ):
        monkeypatch.setenv(name, str(trap.evil))
    monkeypatch.setenv("GIT_DIR", str(trap.server.place / ".git"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(clone.place / ".git/config"))
    use(clone.place, sandbox, trap)
    assert not trap.sprung.exists(), trap.sprung.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ("status",),
        ("diff", "HEAD~1"),
        ("checkout", "--force", "HEAD", "--", "a.yaml"),
        ("checkout", "--quiet", "HEAD~1"),
        ("fetch", "origin"),
        ("ls-remote", "ssh://host/x"),
        ("submodule", "update", "--init"),
    ],
    ids=" ".join,
)
def test_the_traps_go_off_when_git_is_used_as_people_use_it(words: Sequence[str], trap: Trap, tmp_path: Path) -> None:
    clone = trap.checkout(tmp_path / "clone")
    clone.attempt(*words)  # what went off may also have stopped it
    assert trap.sprung.exists()


@pytest.mark.threat("P6")
def test_settings_that_the_configuration_includes_run_nothing(trap: Trap, tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "more").write_text(trap.config, encoding="utf-8")
    clone = trap.server.clone(tmp_path / "clone", "--depth=1")
    clone.git("config", f"includeIf.gitdir:{clone.place}/.git.path", str(tmp_path / "more"))
    clone.git("config", "include.path", str(tmp_path / "more"))
    use(clone.place, sandbox, trap)
    assert not trap.sprung.exists(), trap.sprung.read_text()


@pytest.mark.parametrize("lazy", ["as it is", "a git that does not know GIT_NO_LAZY_FETCH"])
@pytest.mark.parametrize("url", ["ext::EVIL %S", "ssh://127.0.0.1:9/x", "fd::7", "evil::x", "file:///nonexistent"])
@pytest.mark.threat("P6")
def test_an_object_that_is_missing_starts_nothing_of_the_checkout(
    url: str, lazy: str, trap: Trap, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap.server.git("config", "uploadpack.allowFilter", "true")
    clone = trap.checkout(trap.evil.parent / "clone", "--depth=1", "--filter=tree:0", "--no-checkout")
    clone.git("config", "remote.origin.url", trap.filled(url))
    if lazy != "as it is":
        monkeypatch.setattr(git, "ENVIRONMENT", {k: v for k, v in git.ENVIRONMENT.items() if k != "GIT_NO_LAZY_FETCH"})
    repository = around(clone.place, sandbox)
    assert repository.commit("HEAD") == trap.head
    for name in ("e" * 40, "eeeeee", "HEAD~1", "nowhere", trap.base):
        with pytest.raises(EnvironmentBrokenError):
            repository.obtain(name)
    with pytest.raises(EnvironmentBrokenError):
        repository.export(trap.head, sandbox.private("export"))
    assert not trap.sprung.exists(), trap.sprung.read_text()


@pytest.mark.threat("P6")
def test_a_bare_repository_inside_of_the_tree_is_data(trap: Trap, tmp_path: Path, sandbox: Sandbox) -> None:
    config = f"[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n\tfsmonitor = {trap.evil}\n"
    bare = {"HEAD": "ref: refs/heads/main\n", "config": config, "objects/x": "", "refs/heads/x": ""}
    trap.server.commit({f"inner/{name}": text for name, text in bare.items()})
    trap.head, trap.base = trap.with_submodule(), trap.head
    clone = trap.server.clone(tmp_path / "clone")
    use(clone.place / "inner", sandbox, trap)
    assert not trap.sprung.exists()
    clone.attempt("-C", "inner", "-c", "safe.bareRepository=all", "status")
    assert trap.sprung.exists()


@pytest.mark.threat("S7")
def test_what_attributes_leave_out_of_an_archive_is_in_the_base(trap: Trap, tmp_path: Path, sandbox: Sandbox) -> None:
    repository = around(trap.server.place, sandbox)
    folder = sandbox.private("base")
    repository.export(trap.base, folder)
    assert (folder / "ignored.gone").read_text(encoding="utf-8") == "there\n"
    assert (folder / "id.sub").read_text(encoding="utf-8") == "$Id$ $Format:%H%n%an$\n"
    trap.server.git("archive", "--format=tar", f"--output={tmp_path / 'archive.tar'}", trap.base)
    assert b"ignored.gone" not in (tmp_path / "archive.tar").read_bytes()
