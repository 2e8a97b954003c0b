"""Builds the container image with the builder that this machine has, and tells what came out; it publishes nothing.

Runs under any Python from 3.11 on before there is an environment: standard library only. Inside of the build it also
picks the pinned tools out of a folder of tools.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILDERS = ("docker", "buildah", "podman")
"""What is asked for, in this order; each answers ``info`` only where it can build."""
QUESTION_SECONDS = 60
BASES = ("python", "go", "tools")
"""The base images that can be named: ``--python-image`` is the argument PYTHON_IMAGE of the Dockerfile, and so on."""
PASSED_ON = ("GOPROXY", "GOSUMDB", "PIP_INDEX_URL")
"""Where modules and packages come from is the user's business: handed to the stages that fetch, kept by no layer."""
OPENCONTAINERS = "org.opencontainers.image."


class ImageError(Exception):
    """There is no image: one sentence what, one what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\nNext step: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What the builder says about the image."""

    identity: str
    size: int
    """Bytes, uncompressed."""
    labels: Mapping[str, str]


def main(arguments: Sequence[str], environ: Mapping[str, str], stream: TextIO) -> int:
    """Build the image; 0 when it is there, 1 when not."""
    options = parse(arguments)
    try:
        if options.copy_tools:
            copy_pinned(*map(Path, options.copy_tools))
        else:
            build(options, environ, stream)
    except ImageError as error:
        print(f"error: {error}", file=stream)
        return 1
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tools/image.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tag", default="hardening-gate", metavar="NAME", help="what the image is called")
    parser.add_argument("--builder", choices=sorted(BUILDERS), help="instead of the first that works")
    parser.add_argument("--network", metavar="NAME", help='the network of the steps that fetch, such as "host"')
    for base in BASES:
        parser.add_argument(
            f"--{base}-image", metavar="NAME", help=f"instead of the {base.upper()}_IMAGE of Dockerfile"
        )
    parser.add_argument(
        "--copy-tools", nargs=2, metavar=("FROM", "TO"), help="inside of the build: only what is pinned"
    )
    return parser.parse_args(arguments)


def build(options: argparse.Namespace, environ: Mapping[str, str], stream: TextIO) -> None:
    """Build, then tell name, size, labels and seconds."""
    builder = find_builder(options.builder, environ)
    start = time.monotonic()
    print(f"image: {options.tag}, built by {builder.name}", file=stream)
    done = subprocess.run(command(builder, options, environ), cwd=ROOT, env=dict(environ), check=False)
    if done.returncode != 0:
        raise ImageError(
            f"{builder.name} could not build the image (exit {done.returncode}); see its last lines above.",
            "where bases cannot be pulled, name others (--python-image, --go-image); where steps cannot reach the "
            "package registries, see --network, and PIP_INDEX_URL and GOPROXY in the environment; then run it again.",
        )
    seconds = time.monotonic() - start
    for line in described(inspect(builder, options.tag, environ), options.tag, seconds):
        print(line, file=stream)


def find_builder(wanted: str | None, environ: Mapping[str, str]) -> Path:
    """The builder that was named, or the first that is there and answers."""
    said = []
    for name in (wanted,) if wanted else BUILDERS:
        place = shutil.which(name, path=environ.get("PATH"))
        if place is None:
            said.append(f"no {name} on PATH")
        elif (answer := ask((place, "info"), environ)) is not None:
            said.append(f"{name} does not answer ({answer})")
        else:
            return Path(place)
    raise ImageError(
        f"nothing here can build an image: {'; '.join(said)}.",
        "start the Docker daemon, or install buildah (Debian: apt-get install buildah), then run make image again.",
    )


def ask(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """None when the program answers well, else the last line of what it said."""
    try:
        done = subprocess.run(
            words,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=QUESTION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return None
    return (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {done.returncode}"])[-1]


def command(builder: Path, options: argparse.Namespace, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The one way the image is built; a base image that is not named is the Dockerfile's."""
    named = {f"{base.upper()}_IMAGE": getattr(options, f"{base}_image") for base in BASES}
    arguments = {**named, **{name: environ.get(name) for name in PASSED_ON}}
    passed = tuple(f"--build-arg={name}={value}" for name, value in arguments.items() if value)
    labels = tuple(f"--label={OPENCONTAINERS}{name}={value}" for name, value in facts(options, environ).items())
    network = (f"--network={options.network}",) if options.network else ()
    return (str(builder), "build", f"--tag={options.tag}", *network, *passed, *labels, str(ROOT))


def facts(options: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """What only the checkout knows: version, base, commit and its time, and on GitHub the repository.

    A commit is named only where it is all there is.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, _, digest = (options.python_image or default_base()).partition("@")
    known = {"version": str(project["version"]), "base.name": name, "base.digest": digest}
    if repository := environ.get("GITHUB_REPOSITORY"):
        known["source"] = f"{environ.get('GITHUB_SERVER_URL') or 'https://github.com'}/{repository}"
    if git(environ, "status", "--porcelain") == "":
        known["revision"] = git(environ, "rev-parse", "HEAD") or ""
        known["created"] = git(environ, "show", "--no-patch", "--format=%cI", "HEAD") or ""
    return {name: value for name, value in sorted(known.items()) if value}


def default_base() -> str:
    """The Python image that Dockerfile names."""
    found = re.search(r"(?m)^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    if found is None:
        raise ImageError("Dockerfile names no PYTHON_IMAGE.", "restore the line (`git checkout -- Dockerfile`).")
    return found[1]


def git(environ: Mapping[str, str], *words: str) -> str | None:
    """What git says of this checkout; None where there is no git, or no checkout."""
    program = shutil.which("git", path=environ.get("PATH"))
    if program is None:
        return None
    asked = (program, "--no-optional-locks", *words)
    done = subprocess.run(asked, cwd=ROOT, env=dict(environ), capture_output=True, check=False)
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def inspect(builder: Path, tag: str, environ: Mapping[str, str]) -> Built:
    """Ask the builder what it has built."""
    words = (str(builder), "inspect", "--type", "image", tag)
    done = subprocess.run(words, env=dict(environ), capture_output=True, check=False)
    if done.returncode != 0:
        raise ImageError(
            f"{builder.name} built {tag} and does not know it: {done.stderr.decode('utf-8', 'replace').strip()}",
            f"look at `{builder.name} images`; another storage may be configured for building.",
        )
    return read_inspection(json.loads(done.stdout), size_by_buildah(builder, tag, environ))


def size_by_buildah(builder: Path, tag: str, environ: Mapping[str, str]) -> int:
    """Bytes by buildah's list, since its ``inspect`` does not say; 0 for all others."""
    if builder.name != "buildah":
        return 0
    listed = subprocess.run((str(builder), "images", "--json", tag), env=dict(environ), capture_output=True, check=True)
    return bytes_of(str(json.loads(listed.stdout)[0]["size"]))


def bytes_of(text: str) -> int:
    """``812 MB`` as buildah prints it, in decimal units."""
    number, unit = text.split()
    return round(float(number) * {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9}[unit.upper()])


def read_inspection(document: object, listed: int) -> Built:
    """Docker and podman answer with a list, buildah with an object that holds the image as OCI has it."""
    image = document[0] if isinstance(document, list) else document
    if not isinstance(image, dict):
        raise TypeError(f"not the description of an image: {document!r}")
    config = image["OCIv1"]["config"] if "OCIv1" in image else image["Config"]
    return Built(
        identity=str(image.get("Id") or image["FromImageID"]),
        size=int(image.get("Size") or listed),
        labels=dict(config.get("Labels") or {}),
    )


def described(built: Built, tag: str, seconds: float) -> list[str]:
    """What people want to know of a fresh image."""
    labels = [f"  {name}={value}" for name, value in sorted(built.labels.items()) if name.startswith(OPENCONTAINERS)]
    size = f"{built.size / 10**6:.0f} MB"
    return [f"image: {tag} is {built.identity}, {size} uncompressed, built in {seconds:.0f} s", *labels]


def copy_pinned(found: Path, target: Path) -> None:
    """The tools that users need, in the pinned versions, and no others that may lie beside them."""
    pins = json.loads((HERE / "pins.json").read_text(encoding="utf-8"))["tools"]
    for name in (Path(f"{pin['name']}@{pin['version']}", pin["name"]) for pin in pins if "purpose" not in pin):
        (target / name).parent.mkdir(parents=True)
        try:
            shutil.copy2(found / name, target / name)
        except FileNotFoundError as error:
            raise ImageError(
                f"{found / name} is not there.", "run tools/build.py with its parent as --home."
            ) from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))
