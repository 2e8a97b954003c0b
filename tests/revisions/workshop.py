"""Real repositories of tests: git with nobody's settings, and a clock that stands still."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

ENVIRONMENT: Mapping[str, str] = {
    "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_AUTHOR_NAME": "A",
    "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "LANG": "C.UTF-8",
    "PATH": os.environ["PATH"],
}
SETTINGS = (
    "init.defaultBranch=main",
    "protocol.file.allow=always",
    "commit.gpgSign=false",
    "advice.detachedHead=false",
)


class Workshop:
    """A repository with a work tree, as a person would make it."""

    def __init__(self, place: Path, *options: str, make: bool = True) -> None:
        self.place = place
        if make:
            place.mkdir(parents=True, exist_ok=True)
            self.git("init", "--quiet", *options)

    def git(self, *words: str | Path, stdin: bytes = b"") -> str:
        """What git prints, without the last line's end; fails with what it says."""
        done = self.attempt(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return os.fsdecode(done.stdout).rstrip("\n")

    def attempt(self, *words: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """What git does, whether it succeeds or not."""
        settings = [word for setting in SETTINGS for word in ("-c", setting)]
        return subprocess.run(
            ["git", *settings, *map(str, words)],
            cwd=self.place,
            env={**ENVIRONMENT, "HOME": str(self.place)},
            input=stdin,
            capture_output=True,
            check=False,
        )

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Files of the work tree."""
        for name, content in files.items():
            path = self.place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes] | None = None, message: str = "c") -> str:
        """The id of a commit of all that the work tree holds."""
        self.write(files or {})
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.git("rev-parse", "HEAD")

    def blob(self, content: bytes) -> str:
        """The id of a blob, in no tree yet."""
        return self.git("hash-object", "-w", "--stdin", "--literally", "-t", "blob", stdin=content)

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        """The id of a tree of (mode, name, id) in that very order, whatever git thinks of it."""
        text = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(id_) for mode, name, id_ in entries)
        return self.git("hash-object", "-w", "--stdin", "--literally", "-t", "tree", stdin=text)

    def commit_of(self, tree: str) -> str:
        """The id of a commit of a tree, which no branch holds."""
        return self.git("commit-tree", "-m", "c", tree)

    def clone(self, place: Path, *options: str, url: str = "") -> Workshop:
        """A clone of this one, over the protocol of a server."""
        self.git("clone", "--quiet", *options, url or f"file://{self.place}", place)
        return Workshop(place, make=False)

    def content(self, commit: str) -> dict[str, bytes]:
        """Every blob of a commit by its path, as the objects have it."""
        listed = self.git("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
        rows = [(*row.split("\t")[0].split(), row.partition("\t")[2]) for row in listed if row]
        return {path: self.raw(id_) for _, kind, id_, path in rows if kind == "blob"}

    def raw(self, id_: str) -> bytes:
        """The bytes of a blob."""
        return self.attempt("cat-file", "blob", id_).stdout


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its path; of a link, where it leads."""
    return {
        str(path.relative_to(folder)): os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }
