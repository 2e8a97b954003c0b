"""Makes a release out of the checked-out commit: checks it, pins action.yml to a published image, tags the result.

Runs under any Python from 3.11 on before there is an environment: standard library only. It reads and writes objects
and references of git, never the work tree, and never moves the tag of a version; tools/publication.py publishes images.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[1]
UNPINNED = re.compile(r"(?m)^(?P<key>  image:) Dockerfile$")
"""What stands in action.yml between releases: whoever uses such a commit builds the image."""
PINNED = re.compile(r"(?m)^  image: docker://(?P<image>\S+)$")
IMAGE = re.compile(r"[a-z0-9][a-z0-9.-]*(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+@sha256:[0-9a-f]{64}")
BASE = re.compile(r"(?m)^ARG (?:GO|PYTHON)_IMAGE=(?P<image>\S+)$")
BRANCHES = r"refs/heads/(main|release/[0-9]+(\.[0-9]+)*\.x)"
"""From where a release is started; it stands in the certificate of every signature, and who verifies asks for it."""
HEADING = re.compile(r"(?m)^## \[(?P<name>[^\]]+)\](?: - (?P<day>\S+))?[ ]*$")
NOBODY = {"NAME": "hardening-gate release", "EMAIL": "noreply@github.com"}
"""Author of the release commit; who started the run stands in the run that the signature names."""


class ReleaseError(Exception):
    """There is no release: what is wrong, and what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\nNext step: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Version:
    """``MAJOR.MINOR.PATCH``; the only form that is released."""

    major: int
    minor: int
    patch: int

    @classmethod
    def read(cls, text: str) -> Version:
        """Raises ReleaseError for any other form, one with a leading ``v`` included."""
        if not re.fullmatch(r"(?:(?:0|[1-9]\d{0,5})\.){2}(?:0|[1-9]\d{0,5})", text, flags=re.ASCII):
            raise ReleaseError(f"{text!r} is no version.", "name it as MAJOR.MINOR.PATCH, such as 1.2.0.")
        major, minor, patch = map(int, text.split("."))
        return cls(major=major, minor=minor, patch=patch)

    def __str__(self) -> str:
        """``1.2.0``."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def tag(self) -> str:
        """``v1.2.0``; it never moves."""
        return f"v{self}"

    @property
    def major_tag(self) -> str:
        """``v1``; it moves to the newest release of its major version."""
        return f"v{self.major}"


class Repository:
    """A git repository, by the program ``git``."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = dict(environ)
        self._program = shutil.which("git", path=environ.get("PATH"))

    def git(self, *words: str, stdin: str | None = None, more: Mapping[str, str] | None = None) -> str:
        """What it prints, without the last line end. Raises ReleaseError with what it says when it fails."""
        if self._program is None:
            raise ReleaseError("there is no git on PATH.", "install it (Debian: apt-get install git), then try again.")
        command = (self._program, *words)
        environment = {**self._environ, **(more or {})}
        given = None if stdin is None else stdin.encode()
        done = subprocess.run(command, cwd=self.folder, env=environment, input=given, capture_output=True, check=False)
        if done.returncode != 0:
            raise ReleaseError(
                f"git {words[0]} fails: {done.stderr.decode('utf-8', 'replace').strip()}",
                "repair what git says, then start the release again.",
            )
        return done.stdout.decode("utf-8").removesuffix("\n")

    def text(self, path: str) -> str:
        """A file as it was committed."""
        return self.git("show", f"HEAD:{path}") + "\n"

    def tags(self) -> dict[str, str]:
        """The commit of each tag."""
        rows = self.git("for-each-ref", "--format=%(refname:strip=2) %(objectname) %(*objectname)", "refs/tags")
        return {row.split()[0]: row.split()[-1] for row in rows.splitlines()}


def main(arguments: Sequence[str], repository: Repository, out: TextIO, err: TextIO, today: date) -> int:
    """One step of a release; 0 when it is done, 1 when not."""
    options = parse(arguments)
    try:
        match options.verb:
            case "check":
                print(check(Version.read(options.version), options.ref, repository, today), file=out)
            case "notes":
                print(notes(repository.text("CHANGELOG.md"), Version.read(options.version)), file=out)
            case "image":
                print(pinned_image(repository.text("action.yml")), file=out)
            case "tag":
                print(tag(Version.read(options.version), options.image, options.push, repository), file=out)
    except ReleaseError as error:
        print(f"error: {error}", file=err)
        return 1
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/release.py", description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    checking = verbs.add_parser("check", help="whether the checked-out commit can become this version")
    noting = verbs.add_parser("notes", help="what CHANGELOG.md says of this version")
    verbs.add_parser("image", help="the image that action.yml is pinned to, for one who verifies a tag")
    tagging = verbs.add_parser("tag", help="writes the release commit with its tags")
    for verb in (checking, noting, tagging):
        verb.add_argument("version", metavar="VERSION", help="such as 1.2.0")
    checking.add_argument("--ref", default="refs/heads/main", metavar="REF", help="the branch that it is started from")
    tagging.add_argument("--image", required=True, metavar="NAME@DIGEST", help="what action.yml is pinned to")
    tagging.add_argument("--push", metavar="REMOTE", help="publishes the tags there, all or none")
    return parser.parse_args(arguments)


def check(version: Version, ref: str, repository: Repository, today: date) -> str:
    """One line that says yes. Raises ReleaseError with everything that speaks against it."""
    objections = [
        *objections_to_project(repository.text("pyproject.toml"), version),
        *objections_to_changelog(repository.text("CHANGELOG.md"), version, today),
        *objections_to_action(repository.text("action.yml")),
        *objections_to_bases(repository.text("Dockerfile")),
    ]
    if not re.fullmatch(BRANCHES, ref):
        objections.append(
            f"{ref} is not main or a branch such as release/1.x, and no signature from there would verify"
        )
    if version.tag in repository.tags():
        objections.append(f"the tag {version.tag} is there, and the tag of a version never moves")
    if objections:
        listed = "".join(f"\n  - {objection}" for objection in objections)
        raise ReleaseError(
            f"{repository.git('rev-parse', 'HEAD')} cannot become {version.tag}:{listed}",
            "change it in a pull request (docs/releasing.md, 1), then start the release from its merge.",
        )
    return f"{repository.git('rev-parse', 'HEAD')} can become {version.tag}"


def objections_to_project(text: str, version: Version) -> list[str]:
    """The version of pyproject.toml is that of the image's label and of every report."""
    said = str(tomllib.loads(text)["project"]["version"])
    return [] if said == str(version) else [f"pyproject.toml says {said}, not {version}"]


def objections_to_changelog(text: str, version: Version, today: date) -> list[str]:
    """It has a section of this version, without a date or with that of today, and nothing is left unreleased."""
    days = {found["name"]: found["day"] for found in HEADING.finditer(text)}
    name = str(version)
    if name not in days:
        return [f"CHANGELOG.md has no heading `## [{name}]`"]
    objections = []
    if days[name] not in {None, today.isoformat()}:
        objections.append(f"CHANGELOG.md dates {name} {days[name]}, and today is {today.isoformat()} (UTC)")
    if not section(text, name):
        objections.append(f"CHANGELOG.md says nothing of {name}")
    if section(text, "Unreleased"):
        objections.append(f"CHANGELOG.md still lists changes as unreleased: they would be in {name}")
    return objections


def objections_to_action(text: str) -> list[str]:
    """It is pinned by the release, so it must not be pinned yet."""
    count = len(UNPINNED.findall(text))
    return [] if count == 1 else [f"action.yml has the line `  image: Dockerfile` {count} times, not once"]


def objections_to_bases(text: str) -> list[str]:
    """An image is made of bases that nobody can move."""
    bases = BASE.findall(text)
    loose = [base for base in bases if not re.search(r"@sha256:[0-9a-f]{64}$", base)]
    missing = ["Dockerfile does not name GO_IMAGE and PYTHON_IMAGE"] if len(bases) != 2 else []
    return [*missing, *(f"the base image {base} is not named by digest" for base in loose)]


def section(changelog: str, name: str) -> str:
    """What stands under the heading of this name; empty where there is none."""
    found = list(HEADING.finditer(changelog))
    ends = [*(heading.start() for heading in found[1:]), len(changelog)]
    bodies = {heading["name"]: changelog[heading.end() : end] for heading, end in zip(found, ends, strict=True)}
    return bodies.get(name, "").strip()


def notes(changelog: str, version: Version) -> str:
    """The section of a version. Raises ReleaseError where there is none."""
    if text := section(changelog, str(version)):
        return text
    raise ReleaseError(f"CHANGELOG.md says nothing of {version}.", "write what users notice under its heading.")


def pinned(action: str, image: str) -> str:
    """``action.yml`` that starts this image and no other. Raises ReleaseError where it cannot be said once."""
    if not IMAGE.fullmatch(image):
        raise ReleaseError(
            f"{image!r} names no image by digest.", "name it as REGISTRY/NAME@sha256:DIGEST, in small letters."
        )
    if objections := objections_to_action(action):
        raise ReleaseError(f"{objections[0]}.", "start the release from a commit of the main branch.")
    return UNPINNED.sub(rf"\g<key> docker://{image}", action)


def pinned_image(action: str) -> str:
    """The image by digest. Raises ReleaseError where the action names none."""
    found = PINNED.findall(action)
    if len(found) == 1 and IMAGE.fullmatch(found[0]):
        return str(found[0])
    raise ReleaseError(
        "action.yml starts no image by digest: this commit is no release.",
        "delete the tag, then let the workflow `release` make it (docs/releasing.md).",
    )


def tag(version: Version, image: str, remote: str | None, repository: Repository) -> str:
    """Write the release commit and its tags, and publish them where a remote is named; what was written, as lines.

    The same commit and image give the same release commit, so a step that failed half-way can be repeated.
    """
    before = repository.tags()
    commit = commit_pinned(version, image, repository)
    if before.get(version.tag, commit) != commit:
        raise ReleaseError(
            f"the tag {version.tag} is there, for another commit or image ({before[version.tag]}).",
            "release the next version; the tag of a version never moves.",
        )
    names = [version.tag, *([version.major_tag] if is_newest_of_its_major(version, before) else [])]
    if remote:
        repository.git(*push(version, before), remote, *(f"{commit}:refs/tags/{name}" for name in names))
    for name in names:
        repository.git("update-ref", f"refs/tags/{name}", commit)
    return "\n".join([f"commit={commit}", f"tags={' '.join(names)}"])


def commit_pinned(version: Version, image: str, repository: Repository) -> str:
    """A child of HEAD in which action.yml alone differs; dated as HEAD, so that it is the same every time."""
    action = pinned(repository.text("action.yml"), image)
    blob = repository.git("hash-object", "-w", "--stdin", stdin=action)
    day = repository.git("show", "--no-patch", "--format=%cI", "HEAD")
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        repository.git("read-tree", "HEAD", more=index)
        repository.git("update-index", "--cacheinfo", f"100644,{blob},action.yml", more=index)
        tree = repository.git("write-tree", more=index)
    people = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in NOBODY.items()}
    dates = {"GIT_AUTHOR_DATE": day, "GIT_COMMITTER_DATE": day}
    message = f"Release {version.tag}\n\naction.yml starts {image}\n"
    return repository.git(
        "-c", "commit.gpgsign=false", "commit-tree", tree, "-p", "HEAD", stdin=message, more={**people, **dates}
    )


def is_newest_of_its_major(version: Version, tags: Mapping[str, str]) -> bool:
    """Whether no release of the same major version is newer: a late fix of 1.2 must not take v1 back from 1.3."""
    released = [Version.read(name[1:]) for name in tags if re.fullmatch(r"v\d{1,6}\.\d{1,6}\.\d{1,6}", name)]
    return all(other <= version for other in released if other.major == version.major)


def push(version: Version, before: Mapping[str, str]) -> tuple[str, ...]:
    """All tags or none; the major tag moves only from where it was seen, that of the version not at all."""
    seen = before.get(version.major_tag, "")
    return ("push", "--atomic", f"--force-with-lease=refs/tags/{version.major_tag}:{seen}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Repository(ROOT, os.environ), sys.stdout, sys.stderr, datetime.now(UTC).date()))
