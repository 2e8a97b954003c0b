"""Which git is used, how it is told what to do, and what becomes of a git that does not do it."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import EnvironmentBrokenError
from process import PROXIES, End, Finished, Sandbox
from revisions.git import FOLDERS, Git, last_line, proxies
from tests.revisions.workshop import Workshop


def pretend(folder: Path, answer: str) -> str:
    """A program that says that it is git."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{answer}\n", encoding="utf-8")
    (folder / "git").chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("says", ["2.31.0", "2.39.5 (Apple Git-154)", "3.0.0", "2.45.1.windows.1"])
def test_a_git_that_can_keep_a_token_out_of_its_arguments_is_used(says: str, sandbox: Sandbox, tmp_path: Path) -> None:
    place = pretend(tmp_path / "bin", f"echo git version '{says}'")
    found = Git.find(sandbox, sandbox.private("home"), (str(tmp_path / "none"), place, "/usr/bin"))
    assert found.program == tmp_path / "bin/git"


@pytest.mark.parametrize("says", ["git version 2.30.9", "git version 1.8.3", "hub version 3.0", ""])
def test_a_git_that_is_too_old_or_none_is_refused(says: str, sandbox: Sandbox, tmp_path: Path) -> None:
    place = pretend(tmp_path / "bin", f"echo '{says}'")
    with pytest.raises(EnvironmentBrokenError, match=r"git 2\.31 or newer") as raised:
        Git.find(sandbox, sandbox.private("home"), (place,))
    assert raised.value.remedy == "Install a newer git."


@pytest.mark.threat("P6")
def test_git_is_never_looked_for_in_a_folder_of_path(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", pretend(tmp_path / "bin", "echo git version 9.9"))
    assert str(Git.find(sandbox, sandbox.private("home")).program.parent) in FOLDERS
    with pytest.raises(EnvironmentBrokenError, match="git is in none of /nonexistent") as raised:
        Git.find(sandbox, sandbox.private("home"), ("/nonexistent",))
    assert "apt-get install git" in raised.value.remedy


def test_a_git_that_does_not_end_by_itself_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    place = pretend(tmp_path / "bin", 'case "$*" in *--version) echo git version 3.0;; *) kill -9 $$;; esac')
    git = Git.find(sandbox, sandbox.private("home"), (place,))
    with pytest.raises(EnvironmentBrokenError, match="`git cat-file` signalled after 0 s"):
        git.ask("cat-file", at=tmp_path)


def test_settings_reach_git_as_they_are_after_ours_and_no_list_of_words_shows_them(tmp_path: Path) -> None:
    shown: list[str] = []
    pairs = (("a.b", "1 '\"\n2"), ("http.https://x/.extraheader", "A: b"), ("a.b", ""), ("core.fsmonitor", "x"))
    words = ("config", "--null", "--get-regexp", r"^(a|http\.https.*|core)\.(b|extra.*|fsmonitor)$")
    with Sandbox(observer=lambda words, _about, _finished: shown.extend(words)) as sandbox:
        git = Git.find(sandbox, sandbox.private("home"))
        done = git.start(*words, at=Workshop(tmp_path).place / ".git", settings=pairs)
    ours = ("core.fsmonitor", "false")
    assert done.stdout.decode() == "".join(f"{key}\n{value}\0" for key, value in (ours, *pairs))
    assert shown[-len(words) :] == list(words)
    assert not [word for word in shown if "A: b" in word]


def test_no_proxy_is_left_but_those_that_are_named() -> None:
    told = proxies({"https_proxy": "http://p", "GIT_SSL_CAINFO": "/ca"})
    assert {name for name, value in told.items() if value is None} == {*PROXIES, "NO_PROXY", "no_proxy"} - {
        "https_proxy"
    }
    assert (told["https_proxy"], told["GIT_SSL_CAINFO"]) == ("http://p", "/ca")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("", "it says nothing"),
        ("warning: a\nfatal: b\n\n", "fatal: b"),
        ("fatal: 'https://u:p@host/x' not found", "fatal: 'https://host/x' not found"),
        ("fatal: https://token@host/x and http://a:b@c", "fatal: https://host/x and http://c"),
    ],
)
def test_what_git_said_last_is_shown_without_credentials(said: str, shown: str) -> None:
    assert last_line(Finished(end=End.EXITED, exit_code=128, stdout=b"", stderr=said, seconds=0)) == shown
