"""Real git on real repositories: each way in which a checkout may lie on a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError, UsageError
from process import Sandbox
from revisions.repository import Repository
from tests.revisions.workshop import Workshop, files_below

FIRST = {"a.yaml": "a: 1\n", "deep/er/b.yaml": "b: 1\n", "same.yaml": "same\n"}
SECOND = {**FIRST, "a.yaml": "a: 2\n", "new.yaml": "n: 1\n"}


@pytest.fixture
def server(tmp_path: Path) -> Workshop:
    """Two commits on main and a merge of a branch into it on ``merged``, as GitHub makes it for a pull request."""
    shop = Workshop(tmp_path / "server")
    shop.commit(FIRST)
    shop.git("checkout", "--quiet", "-b", "change")
    shop.commit({"change.yaml": "c: 1\n"})
    shop.git("checkout", "--quiet", "main")
    shop.commit(SECOND)
    shop.git("checkout", "--quiet", "-b", "merged")
    shop.git("merge", "--quiet", "--no-ff", "-m", "m", "change")
    shop.git("checkout", "--quiet", "main")
    return shop


def around(place: Path, sandbox: Sandbox) -> Repository:
    found = Repository.around(place, sandbox)
    assert found is not None
    return found


def exported(repository: Repository, sandbox: Sandbox, commit: str) -> dict[str, bytes]:
    folder = sandbox.private("export")
    assert repository.export(commit, folder) == ()
    return files_below(folder)


def untouched(place: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file of a repository."""
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in sorted(place.rglob("*")) if not p.is_dir()}


def test_where_there_is_no_checkout_there_is_no_repository(tmp_path: Path, sandbox: Sandbox) -> None:
    assert Repository.around(tmp_path, sandbox) is None
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    assert Repository.around(tmp_path, sandbox) is None


def test_a_repository_behind_a_link_is_found(server: Workshop, sandbox: Sandbox, tmp_path: Path) -> None:
    (server.place / ".git").rename(tmp_path / "elsewhere")
    (server.place / ".git").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "way").symlink_to(server.place / "deep")
    repository = around(tmp_path / "way" / "er", sandbox)
    assert repository.work_tree == server.place
    head = repository.commit("HEAD")
    assert exported(repository, sandbox, head) == server.content(head)


def test_a_commit_is_exported_as_it_was_committed_and_the_checkout_stays_as_it_is(
    server: Workshop, sandbox: Sandbox
) -> None:
    before = untouched(server.place)
    (server.place / "deep").mkdir(exist_ok=True)
    repository = around(server.place / "deep", sandbox)
    assert repository.work_tree == server.place
    for name in ("HEAD", "main", "main~1", "merged", "HEAD^"):
        commit = repository.commit(name)
        assert commit == server.git("rev-parse", name)
        assert exported(repository, sandbox, commit) == server.content(commit)
    assert repository.obtain("change") == server.git("rev-parse", "change")
    assert untouched(server.place) == before


def test_every_name_of_a_commit_leads_to_its_full_id(server: Workshop, sandbox: Sandbox) -> None:
    head = server.git("rev-parse", "main")
    server.git("tag", "--annotate", "-m", "t", "v1", "main")
    server.git("pack-refs", "--all")
    repository = around(server.place, sandbox)
    names = ("HEAD", "main", "refs/heads/main", "v1", "refs/tags/v1", head, head[:8], server.git("rev-parse", "v1"))
    assert {repository.commit(name) for name in names} == {head}
    assert {repository.obtain(name) for name in names} == {head}


def test_parents_and_the_common_ancestor_are_those_of_git(server: Workshop, sandbox: Sandbox) -> None:
    repository = around(server.place, sandbox)
    merge, main, change = (repository.commit(name) for name in ("merged", "main", "change"))
    assert repository.parents(merge) == (main, change)
    assert repository.merge_base(main, change) == server.git("rev-parse", "main~1")
    root = server.commit_of(server.git("rev-parse", "main^{tree}"))
    assert repository.parents(root) == ()
    assert repository.merge_base(main, root) is None


def test_a_commit_message_that_looks_like_a_parent_is_none(server: Workshop, sandbox: Sandbox) -> None:
    lie = server.commit(message=f"x\n\nparent {'0' * 40}\n")
    assert around(server.place, sandbox).parents(lie) == (server.git("rev-parse", "HEAD^"),)


@pytest.mark.parametrize(
    "name", ["nowhere", "origin/nowhere", "f" * 40, "f" * 64, "HEAD~9", "a b", "deadbeef", "main^{tree}"]
)
def test_a_name_that_means_no_commit_is_told_with_the_next_step(name: str, server: Workshop, sandbox: Sandbox) -> None:
    repository = around(server.place, sandbox)
    for ask in (repository.commit, repository.obtain):
        with pytest.raises(EnvironmentBrokenError) as raised:
            ask(name)
        assert name in raised.value.message
        assert raised.value.remedy


@pytest.mark.parametrize(
    "name",
    ["", "-h", "--all", "--output=/tmp/x", "a\0b", "a\nb", "HEAD:a.yaml", ":/c", "HEAD^{/c}", "\ud800", "x" * 2000],
)
@pytest.mark.threat("P1", "P6")
def test_what_can_be_no_name_is_refused_before_git_sees_it(name: str, server: Workshop, sandbox: Sandbox) -> None:
    repository = around(server.place, sandbox)
    for ask in (repository.commit, repository.obtain):
        with pytest.raises(UsageError, match="no name of a commit"):
            ask(name)


@pytest.mark.parametrize("id_", ["HEAD", "-h", "", "abc", "F" * 40])
def test_only_full_ids_are_exported_and_compared(id_: str, server: Workshop, sandbox: Sandbox) -> None:
    repository = around(server.place, sandbox)
    head = repository.commit("HEAD")
    calls: tuple[Callable[[], object], ...] = (
        lambda: repository.parents(id_),
        lambda: repository.merge_base(head, id_),
        lambda: repository.export(id_, sandbox.private("export")),
    )
    for call in calls:
        with pytest.raises(ValueError, match="not the full id"):
            call()


def test_an_object_that_is_no_commit_cannot_be_had(server: Workshop, tmp_path: Path, sandbox: Sandbox) -> None:
    tree = server.git("rev-parse", "main^{tree}")
    repository = around(server.clone(tmp_path / "clone").place, sandbox)
    with pytest.raises(EnvironmentBrokenError, match="cannot be had: "):
        repository.obtain(tree)


# Checkouts that hold less than all


def test_of_a_shallow_merge_the_first_parent_is_known_and_fetched_alone(
    server: Workshop, tmp_path: Path, sandbox: Sandbox
) -> None:
    clone = server.clone(tmp_path / "clone", "--depth=1", "--branch=merged")
    before = untouched(clone.place)
    repository = around(clone.place, sandbox)
    first, second = repository.parents(repository.commit("HEAD"))
    assert first == server.git("rev-parse", "main")
    with pytest.raises(EnvironmentBrokenError, match="no commit of"):
        repository.commit(first)
    assert repository.obtain(first) == first
    assert repository.commit(first) == first
    assert exported(repository, sandbox, first) == server.content(first)
    assert repository.obtain(second) == second
    assert repository.parents(first) == (server.git("rev-parse", "main~1"),)
    with pytest.raises(EnvironmentBrokenError, match="no commit of"):
        repository.commit(server.git("rev-parse", "main~1"))
    assert untouched(clone.place) == before


@pytest.mark.parametrize(
    "name", ["main", "origin/main", "refs/heads/main", "refs/remotes/origin/main", "v1", "refs/tags/v1"]
)
def test_a_name_that_only_the_server_knows_is_fetched(
    name: str, server: Workshop, tmp_path: Path, sandbox: Sandbox
) -> None:
    server.git("tag", "--annotate", "-m", "t", "v1", "main")
    clone = server.clone(tmp_path / "clone", "--depth=1", "--single-branch", "--no-tags", "--branch=change")
    repository = around(clone.place, sandbox)
    main = server.git("rev-parse", "main")
    assert repository.obtain(name) == main
    assert exported(repository, sandbox, main) == server.content(main)
    assert "main" not in clone.git("branch", "--all")


def test_fetching_sends_only_what_the_checkout_does_not_hold(tmp_path: Path, sandbox: Sandbox) -> None:
    server = Workshop(tmp_path / "server")
    server.commit({"large": os.urandom(1 << 20), "a": "1"})
    server.commit({"a": "2"})
    clone = server.clone(tmp_path / "clone", "--depth=1")
    repository = around(clone.place, sandbox)
    base = repository.obtain(server.git("rev-parse", "HEAD^"))
    assert sum(path.stat().st_size for path in sandbox.root.rglob("*") if path.is_file()) < 1 << 16
    assert exported(repository, sandbox, base) == server.content(base)


@pytest.mark.parametrize("filter_", ["blob:none", "blob:limit=3", "tree:0"])
def test_what_a_partial_clone_lacks_is_fetched_at_once_into_our_repository(
    filter_: str, server: Workshop, tmp_path: Path
) -> None:
    server.git("config", "uploadpack.allowFilter", "true")
    server.git("config", "uploadpack.allowAnySHA1InWant", "true")
    clone = server.clone(tmp_path / "clone", f"--filter={filter_}", "--no-checkout")
    before = untouched(clone.place)
    started: list[str] = []
    with Sandbox(observer=lambda words, _about, _finished: started.extend(words)) as sandbox:
        repository = around(clone.place, sandbox)
        head, base = repository.commit("HEAD"), repository.commit("HEAD~1")
        assert exported(repository, sandbox, head) == server.content(head)
        assert started.count("fetch") == 1
        assert exported(repository, sandbox, base) == server.content(base)
        assert started.count("fetch") <= 2
        assert repository.merge_base(head, base) == base
    assert untouched(clone.place) == before


def test_a_partial_clone_whose_server_is_gone_is_told(server: Workshop, tmp_path: Path, sandbox: Sandbox) -> None:
    server.git("config", "uploadpack.allowFilter", "true")
    clone = server.clone(tmp_path / "clone", "--filter=blob:none", "--no-checkout")
    shutil.rmtree(server.place)
    repository = around(clone.place, sandbox)
    with pytest.raises(EnvironmentBrokenError, match="cannot be had: "):
        repository.export(repository.commit("HEAD"), sandbox.private("export"))


def test_an_object_that_is_lost_is_told_and_not_passed_over(server: Workshop, sandbox: Sandbox) -> None:
    lost = server.git("rev-parse", "HEAD:a.yaml")
    (server.place / ".git/objects" / lost[:2] / lost[2:]).unlink()
    repository = around(server.place, sandbox)
    with pytest.raises(EnvironmentBrokenError, match=r"not here\. .* has no remote `origin`"):
        repository.export(repository.commit("HEAD"), sandbox.private("export"))


# Checkouts of other shapes


def test_a_linked_worktree_has_a_head_of_its_own(server: Workshop, tmp_path: Path, sandbox: Sandbox) -> None:
    server.git("worktree", "add", "--quiet", tmp_path / "linked", "change")
    repository = around(tmp_path / "linked", sandbox)
    assert repository.work_tree == tmp_path / "linked"
    head = repository.commit("HEAD")
    assert head == server.git("rev-parse", "change")
    assert repository.commit("main") == server.git("rev-parse", "main")
    assert exported(repository, sandbox, head) == server.content(head)


def test_the_checkout_of_a_submodule_is_a_repository(server: Workshop, tmp_path: Path, sandbox: Sandbox) -> None:
    outer = Workshop(tmp_path / "outer")
    outer.git("submodule", "--quiet", "add", f"file://{server.place}", "inner")
    outer.commit()
    repository = around(outer.place / "inner" / "deep", sandbox)
    assert repository.work_tree == outer.place / "inner"
    head = repository.commit("HEAD")
    assert head == server.git("rev-parse", "main")
    assert exported(repository, sandbox, head) == server.content(head)


def test_a_repository_of_sha256_is_read_and_fetched_from(tmp_path: Path, sandbox: Sandbox) -> None:
    server = Workshop(tmp_path / "server", "--object-format=sha256")
    base = server.commit(FIRST)
    head = server.commit(SECOND)
    clone = server.clone(tmp_path / "clone", "--depth=1")
    repository = around(clone.place, sandbox)
    assert repository.commit("HEAD") == head
    assert len(head) == 64
    assert repository.obtain(base) == base
    assert exported(repository, sandbox, base) == server.content(base)


@pytest.mark.parametrize("paths", ["absolute", "relative"])
def test_a_checkout_that_borrows_its_objects_is_read(
    paths: str, server: Workshop, tmp_path: Path, sandbox: Sandbox
) -> None:
    middle = server.clone(tmp_path / "middle", "--shared", url=str(server.place))
    clone = middle.clone(tmp_path / "clone", "--shared", url=str(middle.place))
    if paths == "relative":
        (clone.place / ".git/objects/info/alternates").write_text("../../../middle/.git/objects\n", encoding="utf-8")
        (middle.place / ".git/objects/info/alternates").write_text("../../../server/.git/objects\n", encoding="utf-8")
    repository = around(clone.place, sandbox)
    head = repository.commit("HEAD")
    assert exported(repository, sandbox, head) == server.content(head)


@pytest.mark.parametrize("name", ['a "b" \\', "#c", "line\nbreak", "\udcff", "-o", "ünï", "a;b:c"])
def test_whatever_the_folder_of_a_checkout_is_called_it_is_read(name: str, tmp_path: Path, sandbox: Sandbox) -> None:
    shop = Workshop(tmp_path / name)
    head = shop.commit(FIRST)
    repository = around(shop.place, sandbox)
    assert repository.commit("HEAD") == head
    assert exported(repository, sandbox, head) == shop.content(head)


def test_a_repository_without_any_commit_has_no_head(tmp_path: Path, sandbox: Sandbox) -> None:
    with pytest.raises(EnvironmentBrokenError, match="'HEAD' is no commit of"):
        around(Workshop(tmp_path).place, sandbox).commit("HEAD")


@pytest.mark.parametrize("text", ["gitdir: nowhere", "gitdir: /nonexistent/x", "secret", "", "gitdir: a\ngitdir: b"])
def test_a_git_file_that_leads_nowhere_is_told_without_what_it_says(
    text: str, tmp_path: Path, sandbox: Sandbox
) -> None:
    (tmp_path / ".git").write_text(text, encoding="utf-8")
    with pytest.raises(EnvironmentBrokenError) as raised:
        Repository.around(tmp_path, sandbox)
    assert "secret" not in raised.value.message
    assert raised.value.remedy


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make what is another user's")
def test_the_checkout_of_another_user_is_read(server: Workshop, sandbox: Sandbox) -> None:
    for path in (server.place, *server.place.rglob("*")):
        os.chown(path, 1001, 1001, follow_symlinks=False)
    server.place.chmod(0o700)
    repository = around(server.place, sandbox)
    head = repository.commit("HEAD")
    assert "a.yaml" in exported(repository, sandbox, head)


def test_what_replaces_a_commit_does_not_count(server: Workshop, sandbox: Sandbox) -> None:
    head = server.git("rev-parse", "HEAD")
    content = server.content(head)
    server.git("replace", head, "HEAD~1")
    repository = around(server.place, sandbox)
    assert exported(repository, sandbox, repository.commit("HEAD")) == content


@pytest.mark.threat("P6")
def test_a_tag_with_the_name_of_a_branch_is_refused_unless_it_is_the_same(sandbox: Sandbox, tmp_path: Path) -> None:
    shop = Workshop(tmp_path / "shop")
    old, new = shop.commit({"a": "1"}), shop.commit({"a": "2"})
    shop.git("update-ref", "refs/remotes/origin/main", new)
    shop.git("tag", "--annotate", "--message=x", "origin/main", new)
    repository = Repository.around(shop.place, sandbox)
    assert repository is not None
    assert repository.commit("origin/main") == new
    shop.git("tag", "--force", "--annotate", "--message=x", "origin/main", old)
    for name in ("origin/main", "origin/main~0"):
        with pytest.raises(UsageError, match="refs/remotes/origin/main, refs/tags/origin/main"):
            repository.commit(name)
    assert repository.commit("refs/remotes/origin/main") == new
    assert repository.commit("refs/tags/origin/main") == old
