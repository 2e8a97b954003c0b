"""Releases of small repositories, into a bare one beside them."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path

import pytest

from tests.revisions.workshop import ENVIRONMENT, Workshop
from tools import release
from tools.release import ReleaseError, Version

TODAY = date(2026, 5, 4)
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"ghcr.io/acme/gate@{DIGEST}"
OTHER = f"ghcr.io/acme/gate@sha256:{'cd' * 32}"
ACTION = (
    "name: Gate\n# naïve\ninputs:\n  image:\n    description: Dockerfile\nruns:\n  using: docker\n  image: Dockerfile\n"
)
CHANGELOG = """# Changelog

## [Unreleased]

## [1.2.0] - 2026-05-04

### Added

- Doors & Türangeln.

## [1.1.0] - 2026-01-01

- Windows.

[1.2.0]: https://example.org
"""
DOCKERFILE = f"ARG GO_IMAGE=golang:1@{DIGEST}\nARG PYTHON_IMAGE=python:3@{DIGEST}\nARG TOOLS_IMAGE=${{PYTHON_IMAGE}}\n"
FILES = {
    "action.yml": ACTION,
    "CHANGELOG.md": CHANGELOG,
    "Dockerfile": DOCKERFILE,
    "pyproject.toml": '[project]\nversion = "1.2.0"\n',
    "src/a.py": "pass\n",
}


class Shop:
    """A repository that can become 1.2.0, and the place to which it is pushed."""

    def __init__(self, folder: Path) -> None:
        self.bare = Workshop(folder / "bare", "--bare")
        self.work = Workshop(folder / "work", "--initial-branch=main")
        self.work.git("remote", "add", "origin", str(folder / "bare"))
        self.head = self.work.commit(FILES)

    def run(self, *words: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        environ = {**ENVIRONMENT, "HOME": str(self.work.place)}
        code = release.main(words, release.Repository(self.work.place, environ), out, err, TODAY)
        return code, out.getvalue(), err.getvalue()

    def refused(self, *words: str) -> str:
        code, out, err = self.run(*words)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert "\nNext step: " in err
        return err

    def tags(self, place: Workshop) -> dict[str, str]:
        rows = place.git("for-each-ref", "--format=%(refname:strip=2) %(objectname)", "refs/tags").splitlines()
        return {row.split()[0]: row.split()[1] for row in rows}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_commit_that_says_the_version_everywhere_can_become_it(shop: Shop) -> None:
    assert shop.run("check", "1.2.0") == (0, f"{shop.head} can become v1.2.0\n", "")


def test_a_heading_without_a_date_will_do(shop: Shop) -> None:
    shop.work.commit({"CHANGELOG.md": CHANGELOG.replace(" - 2026-05-04", "")})
    assert shop.run("check", "1.2.0")[0] == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "objection"),
    [
        ("pyproject.toml", "1.2.0", "1.1.9", "pyproject.toml says 1.1.9, not 1.2.0"),
        ("CHANGELOG.md", "[1.2.0] -", "[1.2.1] -", "CHANGELOG.md has no heading `## [1.2.0]`"),
        ("CHANGELOG.md", "2026-05-04", "2026-05-03", "dates 1.2.0 2026-05-03, and today is 2026-05-04"),
        ("CHANGELOG.md", "### Added\n\n- Doors & Türangeln.\n", "", "CHANGELOG.md says nothing of 1.2.0"),
        ("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- Roofs.\n", "still lists changes as unreleased"),
        ("action.yml", "image: Dockerfile", f"image: docker://{IMAGE}", "`  image: Dockerfile` 0 times"),
        ("action.yml", "runs:", "runs:\n  image: Dockerfile", "`  image: Dockerfile` 2 times"),
        ("Dockerfile", f"golang:1@{DIGEST}", "golang:1", "the base image golang:1 is not named by digest"),
        ("Dockerfile", "ARG PYTHON_IMAGE", "ARG PYTHON", "does not name GO_IMAGE and PYTHON_IMAGE"),
    ],
)
@pytest.mark.threat("P10")
def test_what_speaks_against_a_release_is_said(shop: Shop, name: str, old: str, new: str, objection: str) -> None:
    shop.work.commit({name: FILES[name].replace(old, new)})
    assert objection in shop.refused("check", "1.2.0")


def test_all_that_speaks_against_it_is_said_at_once(shop: Shop) -> None:
    shop.work.git("tag", "v1.3.0")
    said = shop.refused("check", "1.3.0")
    assert "pyproject.toml says" in said
    assert "has no heading" in said
    assert "the tag v1.3.0 is there" in said


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/heads/release/1.x", "refs/heads/release/1.2.x"])
def test_a_release_is_started_from_main_or_a_branch_of_late_fixes(shop: Shop, ref: str) -> None:
    assert shop.run("check", "1.2.0", "--ref", ref)[0] == 0


@pytest.mark.parametrize(
    "ref", ["refs/heads/feature", "refs/heads/main2", "refs/tags/v1.2.0", "refs/pull/1/merge", "refs/heads/release/x"]
)
@pytest.mark.threat("P10")
def test_no_release_is_started_from_anywhere_else(shop: Shop, ref: str) -> None:
    assert "no signature from there would verify" in shop.refused("check", "1.2.0", "--ref", ref)


def test_what_is_not_committed_does_not_count(shop: Shop) -> None:
    shop.work.write({"pyproject.toml": "[project]\nversion = '9'\n", "action.yml": "broken"})
    assert shop.run("check", "1.2.0")[0] == 0


@pytest.mark.parametrize(
    "text", ["v1.2.0", "1.2", "1.2.0-rc.1", "01.2.0", "1.2.0\n", "1.2.0 --push=x", "", "\u0967.2.0"]
)
def test_another_form_of_version_is_refused(shop: Shop, text: str) -> None:
    assert "is no version" in shop.refused("check", text)


def test_the_notes_are_what_the_changelog_says_of_this_version_alone(shop: Shop) -> None:
    assert shop.run("notes", "1.2.0") == (0, "### Added\n\n- Doors & Türangeln.\n", "")
    assert "says nothing of 9.0.0" in shop.refused("notes", "9.0.0")


@pytest.mark.threat("P10")
def test_the_release_commit_differs_from_its_parent_by_the_pinned_image_alone(shop: Shop) -> None:
    code, out, _ = shop.run("tag", "1.2.0", "--image", IMAGE)
    commit = shop.tags(shop.work)["v1.2.0"]
    assert (code, out) == (0, f"commit={commit}\ntags=v1.2.0 v1\n")
    assert shop.work.git("rev-parse", f"{commit}^") == shop.head
    before, after = shop.work.content(shop.head), shop.work.content(commit)
    assert {name for name in before if before[name] != after[name]} == {"action.yml"}
    assert after["action.yml"].decode() == ACTION.replace("  image: Dockerfile", f"  image: docker://{IMAGE}")
    assert shop.work.git("ls-tree", commit, "action.yml").startswith("100644 ")


def test_branch_work_tree_and_index_stay_as_they_were(shop: Shop) -> None:
    shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")
    assert shop.work.git("rev-parse", "main") == shop.head
    assert shop.work.git("status", "--porcelain") == ""
    assert shop.bare.git("for-each-ref", "refs/heads") == ""


def test_both_tags_are_published(shop: Shop) -> None:
    assert shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")[0] == 0
    assert shop.tags(shop.bare) == shop.tags(shop.work)
    assert set(shop.tags(shop.bare)) == {"v1.2.0", "v1"}


def test_the_same_release_can_be_made_again_and_changes_nothing(shop: Shop) -> None:
    shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")
    before = shop.tags(shop.bare)
    assert shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")[0] == 0
    assert shop.tags(shop.bare) == before


@pytest.mark.threat("P10")
def test_the_tag_of_a_version_never_moves(shop: Shop) -> None:
    shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")
    before = shop.tags(shop.bare)
    assert "never moves" in shop.refused("tag", "1.2.0", "--image", OTHER, "--push", "origin")
    shop.work.git("tag", "--delete", "v1.2.0")
    shop.refused("tag", "1.2.0", "--image", OTHER, "--push", "origin")
    assert shop.tags(shop.bare) == before


def test_the_major_tag_moves_on_and_not_back(shop: Shop) -> None:
    shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")
    shop.work.commit({"src/a.py": "1\n"})
    shop.run("tag", "1.10.0", "--image", IMAGE, "--push", "origin")
    newest = shop.tags(shop.bare)
    assert newest["v1"] == newest["v1.10.0"]
    shop.work.git("checkout", "--quiet", shop.head)
    shop.work.commit({"src/a.py": "2\n"})
    code, out, _ = shop.run("tag", "1.2.1", "--image", IMAGE, "--push", "origin")
    assert (code, out.splitlines()[1]) == (0, "tags=v1.2.1")
    assert shop.tags(shop.bare) == {**newest, "v1.2.1": shop.tags(shop.work)["v1.2.1"]}


def test_when_somebody_else_has_moved_the_major_tag_nothing_is_published(shop: Shop) -> None:
    shop.run("tag", "1.2.0", "--image", IMAGE, "--push", "origin")
    shop.bare.git("update-ref", "refs/tags/v1", shop.head)
    before = shop.tags(shop.bare)
    shop.work.commit({"src/a.py": "1\n"})
    assert "git push fails" in shop.refused("tag", "1.3.0", "--image", IMAGE, "--push", "origin")
    assert shop.tags(shop.bare) == before
    assert "v1.3.0" not in shop.tags(shop.work)


@pytest.mark.parametrize(
    "image",
    [
        "ghcr.io/acme/gate:1.2.0",
        f"ghcr.io/Acme/gate@{DIGEST}",
        f"gate@{DIGEST}",
        f"{IMAGE}0",
        f"docker://{IMAGE}",
        f"{IMAGE}\nentrypoint: x",
        f"ghcr.io/acme/../gate@{DIGEST}",
    ],
)
@pytest.mark.threat("P10")
def test_only_an_image_by_digest_is_pinned(shop: Shop, image: str) -> None:
    assert "names no image by digest" in shop.refused("tag", "1.2.0", "--image", image)
    assert shop.tags(shop.work) == {}


def test_a_registry_may_have_a_port() -> None:
    image = f"127.0.0.1:5000/acme/gate@{DIGEST}"
    assert release.pinned_image(release.pinned(ACTION, image)) == image


@pytest.mark.threat("P10")
def test_a_tag_that_nobody_has_released_is_told_from_one_that_was(shop: Shop) -> None:
    assert "this commit is no release" in shop.refused("image")
    shop.run("tag", "1.2.0", "--image", IMAGE)
    shop.work.git("checkout", "--quiet", "v1.2.0")
    assert shop.run("image") == (0, f"{IMAGE}\n", "")


def test_what_git_says_is_shown(shop: Shop) -> None:
    shop.work.git("rm", "--quiet", "CHANGELOG.md")
    shop.work.commit()
    assert "git show fails" in shop.refused("notes", "1.2.0")


def test_versions_are_ordered_as_numbers() -> None:
    assert Version.read("1.10.0") > Version.read("1.9.9")
    with pytest.raises(ReleaseError):
        Version.read("1.9.x")
