"""Publishes a built image so that others can verify it: pushes, signs, attests what is inside, and verifies all of it.

Starts as ``python3 -m tools.publication`` under any Python from 3.11 on: standard library only. It makes no image and
no tag (tools/image.py, tools/release.py), and signs what it is told to sign: whoever calls it has tested the image.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tools import build
from tools.release import BRANCHES, IMAGE

ISSUER = "https://token.actions.githubusercontent.com"
WORKFLOW = ".github/workflows/release.yml"
SBOMS = {"cyclonedx": ("cdx.json", "cyclonedx"), "spdxjson": ("spdx.json", "spdx-json")}
"""The type as cosign has it, with the ending of the file and the format as Trivy has it."""
REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*)/[A-Za-z0-9._-]+")
REFERENCE = re.compile(r"[a-z0-9][a-z0-9.-]*(?::\d+)?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")
PATIENCE = 900
"""Seconds for one step; pushing the image is the longest."""
ENVIRONMENT = frozenset(
    (
        "DOCKER_CONFIG",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
    )
)
"""What every tool gets of the environment."""
TOKENS = ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL")
"""What GitHub proves the identity of a job with; given to the one that signs, while it signs."""
WITHOUT_NETWORK = (
    "--offline-scan",
    "--skip-db-update",
    "--skip-java-db-update",
    "--skip-version-check",
    "--disable-telemetry",
)


class PublicationError(Exception):
    """The image is not published, or is not what it should be: what, and what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message}\nNext step: {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs and how that is verified: words for cosign."""

    signing: tuple[str, ...]
    verifying: tuple[str, ...]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that signing needs, and verifying does not."""


def workflow(repository: str, environ: Mapping[str, str]) -> Signer:
    """The release workflow of a repository on GitHub, without any key: a certificate of minutes, and a public log.

    Raises PublicationError for a repository that is not written as OWNER/NAME.
    """
    if not REPOSITORY.fullmatch(repository):
        raise PublicationError(f"{repository!r} names no repository.", "name it as OWNER/NAME.")
    place = re.escape(f"https://github.com/{repository}/{WORKFLOW}@")
    return Signer(
        signing=("--yes",),
        verifying=(f"--certificate-identity-regexp=^{place}{BRANCHES}$", f"--certificate-oidc-issuer={ISSUER}"),
        secrets={name: environ[name] for name in TOKENS if name in environ},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The pinned programs, started in an environment that holds nothing that they do not need."""

    home: Path
    environ: Mapping[str, str]

    def run(self, name: str, *words: str, more: Mapping[str, str] | None = None) -> str:
        """What the tool prints on stdout. Raises PublicationError with its last lines when it fails."""
        kept = {name: value for name, value in self.environ.items() if name.upper() in ENVIRONMENT}
        environment = {**kept, **(more or {})}
        done = subprocess.run(
            (str(self.path(name)), *words), env=environment, capture_output=True, timeout=PATIENCE, check=False
        )
        if done.returncode != 0:
            last = "\n".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-5:])
            raise PublicationError(
                f"{name} {words[0]} fails (exit {done.returncode}): {last}",
                f"see what {name} says; what was pushed before stays, and the same step can be run again.",
            )
        return done.stdout.decode("utf-8", "replace").strip()

    def path(self, name: str) -> Path:
        """The binary. Raises PublicationError when it is not there in the pinned version."""
        pin = next(pin for pin in build.read_pins(build.HERE / "pins.json") if pin.name == name)
        if build.answers(pin.binary(self.home), pin):
            return pin.binary(self.home)
        raise PublicationError(
            f"{pin.label} is not in {self.home}.",
            f"build it: python3 tools/build.py {name} (see tools/build.py --help).",
        )


def write_sboms(tools: Tools, archive: Path, folder: Path, title: str) -> tuple[Path, ...]:
    """What the image holds by Trivy, without network: ``TITLE.cdx.json`` and ``TITLE.spdx.json``, with SHA256SUMS."""
    folder.mkdir(parents=True, exist_ok=True)
    written = tuple(folder / f"{title}.{ending}" for ending, _ in SBOMS.values())
    for path, (_, format_) in zip(written, SBOMS.values(), strict=True):
        words = ("--input", str(archive), "--format", format_, "--output", str(path))
        tools.run("trivy", "image", "--quiet", *WITHOUT_NETWORK, *words)
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in written)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return written


def push(tools: Tools, archive: Path, target: str) -> str:
    """The image by digest, once the registry holds it under this name and tag."""
    name, separator, tag = target.rpartition(":")
    if not separator or not REFERENCE.fullmatch(name) or not re.fullmatch(r"[\w.-]+", tag, flags=re.ASCII):
        raise PublicationError(
            f"{target!r} is no place for an image.", "name it as REGISTRY/NAME:TAG, in small letters."
        )
    digest = tools.run("crane", "push", str(archive), target).rpartition("@")[2]
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise PublicationError(f"crane push answers with no digest: {digest!r}.", "look at the registry by hand.")
    return f"{name}@{digest}"


def sign(tools: Tools, signer: Signer, image: str, sboms: Sequence[Path]) -> None:
    """Sign the image by digest, and attest what it holds."""
    tools.run("cosign", "sign", *signer.signing, image, more=signer.secrets)
    for kind, path in zip(SBOMS, sboms, strict=True):
        words = ("--type", kind, "--predicate", str(path))
        tools.run("cosign", "attest", *signer.signing, *words, image, more=signer.secrets)


def verify(tools: Tools, signer: Signer, image: str) -> None:
    """What every user can do: the signature and both attestations. Raises PublicationError when one does not hold.

    By digest only: a tag could be moved between this and the use.
    """
    if not IMAGE.fullmatch(image):
        raise PublicationError(f"{image!r} names no image by digest.", "name it as REGISTRY/NAME@sha256:DIGEST.")
    tools.run("cosign", "verify", *signer.verifying, image)
    for kind in SBOMS:
        tools.run("cosign", "verify-attestation", "--type", kind, *signer.verifying, image)


def main(arguments: Sequence[str], environ: Mapping[str, str], out: TextIO, err: TextIO) -> int:
    """One step of a publication; 0 when it is done, 1 when not."""
    options = parse(arguments)
    home = Path(options.home).absolute() if options.home else build.default_home(environ)
    tools = Tools(home=home, environ=environ)
    try:
        match options.verb:
            case "sbom":
                write_sboms(tools, options.archive, options.folder, options.title)
            case "publish":
                sboms = tuple(options.folder / f"{options.title}.{ending}" for ending, _ in SBOMS.values())
                signer = workflow(options.repository, environ)
                image = push(tools, options.archive, options.to)
                sign(tools, signer, image, sboms)
                verify(tools, signer, image)
                print(image, file=out)
            case "verify":
                verify(tools, workflow(options.repository, {}), options.image)
                print(f"{options.image} was released by {options.repository}", file=out)
    except PublicationError as error:
        print(f"error: {error}", file=err)
        return 1
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.publication", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--home", metavar="DIR", help="where the tools lie, instead of HARDENING_GATE_HOME")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("sbom", help="writes what the image holds, as CycloneDX and as SPDX, with checksums")
    publishing = verbs.add_parser("publish", help="pushes, signs, attests, verifies; prints the image by digest")
    verifying = verbs.add_parser("verify", help="whether the release workflow has published this image")
    for verb in (listing, publishing):
        verb.add_argument("archive", type=Path, metavar="ARCHIVE", help="what `docker save` wrote")
        verb.add_argument("folder", type=Path, metavar="FOLDER", help="of the SBOMs")
        verb.add_argument("--title", required=True, help="of the SBOMs, such as hardening-gate-1.2.0")
    publishing.add_argument("--to", required=True, metavar="REGISTRY/NAME:TAG", help="where it is pushed")
    verifying.add_argument("image", metavar="REGISTRY/NAME@DIGEST")
    for verb in (publishing, verifying):
        verb.add_argument("--repository", required=True, metavar="OWNER/NAME", help="whose workflow signs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stdout, sys.stderr))
