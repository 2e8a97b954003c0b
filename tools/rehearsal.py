"""Rehearses a release with a built image: a registry on loopback, keys made for the moment, nothing beyond loopback.

What it calls to push, sign, attest and verify is what the release workflow calls (tools/publication.py); only who signs
differs. It publishes nothing and keeps nothing.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tools import build
from tools.publication import SBOMS, PublicationError, Signer, Tools, push, sign, verify, write_sboms

HOW = "run `make image` and `python3 tools/build.py --release`, then `make rehearse IMAGE=hardening-gate`"
SERVING = re.compile(r"serving on port (\d+)")
START_SECONDS = 10.0


def rehearse(image: str, tools: Tools, folder: Path, stream: TextIO) -> None:
    """The whole way, and what must fail on it. Raises PublicationError for the first thing that is not as it should."""
    for name in ("crane", "cosign", "trivy"):
        tools.path(name)
    archive = save(image, folder / "hardening-gate.tar", tools.environ)
    sboms = write_sboms(tools, archive, folder / "sbom", "hardening-gate")
    say(stream, "the image is saved, and what it holds is written down")
    ours, other = (key_pair(tools, folder, name) for name in ("ours", "other"))
    with registry(tools, folder / "registry.log") as place:
        published = push(tools, archive, f"{place}/rehearsal/hardening-gate:0")
        archive.unlink()
        refused(stream, "what nobody has signed", lambda: verify(tools, ours, published))
        sign(tools, ours, published, sboms)
        verify(tools, ours, published)
        say(stream, f"{published.partition('/')[2]} is signed, both attestations are there, and all of it verifies")
        for kind, path in zip(SBOMS, sboms, strict=True):
            compare(attested(tools, ours, kind, published), path)
        say(stream, "what is attested is what was written down")
        refused(stream, "the key of somebody else", lambda: verify(tools, other, published))
        changed = f"{place}/rehearsal/hardening-gate:1"
        tools.run("crane", "mutate", "--label", "changed=yes", "--tag", changed, published)
        digest = tools.run("crane", "digest", changed)
        refused(stream, "another image of the same name", lambda: verify(tools, ours, swap(published, digest)))


def save(image: str, archive: Path, environ: Mapping[str, str]) -> Path:
    """The image as a file. Raises PublicationError where there is no docker or no such image."""
    docker = shutil.which("docker", path=environ.get("PATH"))
    if docker is None:
        raise PublicationError("there is no docker on PATH.", f"install Docker, {HOW}.")
    done = subprocess.run(
        (docker, "save", "--output", str(archive), image), env=dict(environ), capture_output=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise PublicationError(f"docker cannot save the image {image}: {said}", f"{HOW}.")
    return archive


def key_pair(tools: Tools, folder: Path, name: str) -> Signer:
    """A signer of the moment, whose key no log and no authority knows."""
    password = {"COSIGN_PASSWORD": name}
    prefix = folder / name
    nowhere, nobody = folder / f"{name}.services.json", folder / f"{name}.authorities.json"
    tools.run("cosign", "generate-key-pair", f"--output-key-prefix={prefix}", more=password)
    tools.run("cosign", "signing-config", "create", f"--out={nowhere}")
    tools.run("cosign", "trusted-root", "create", f"--out={nobody}")
    root = f"--trusted-root={nobody}"
    return Signer(
        signing=("--yes", f"--key={prefix}.key", f"--signing-config={nowhere}", root),
        verifying=(f"--key={prefix}.pub", "--insecure-ignore-tlog=true", root),
        secrets=password,
    )


@contextmanager
def registry(tools: Tools, log: Path) -> Iterator[str]:
    """``127.0.0.1:PORT`` of an empty registry, gone afterwards."""
    words = (str(tools.path("crane")), "registry", "serve", "--address", "127.0.0.1:0")
    with log.open("wb") as sink, subprocess.Popen(words, stdout=sink, stderr=sink, stdin=subprocess.DEVNULL) as server:
        try:
            yield f"127.0.0.1:{port(server, log)}"
        finally:
            server.terminate()


def port(server: subprocess.Popen[bytes], log: Path) -> str:
    """Where it listens, as it says itself."""
    start = time.monotonic()
    while server.poll() is None and time.monotonic() - start < START_SECONDS:
        if found := SERVING.search(log.read_text(encoding="utf-8", errors="replace")):
            return found[1]
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise PublicationError(f"crane serves no registry on loopback: {said}", "see that 127.0.0.1 can be listened on.")


def attested(tools: Tools, signer: Signer, kind: str, image: str) -> object:
    """The one thing of this type that is attested of the image."""
    said = tools.run("cosign", "verify-attestation", "--type", kind, *signer.verifying, image)
    statements = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in said.splitlines()]
    if len(statements) != 1 or not image.endswith(f"@sha256:{statements[0]['subject'][0]['digest']['sha256']}"):
        raise PublicationError(f"{kind} is not attested once of {image}.", "look at sign() of tools/publication.py.")
    return statements[0]["predicate"]


def compare(predicate: object, path: Path) -> None:
    """Raise PublicationError when what is attested is not what the file says."""
    if predicate != json.loads(path.read_text(encoding="utf-8")):
        raise PublicationError(f"what is attested is not {path.name}.", "look at sign() of tools/publication.py.")


def refused(stream: TextIO, what: str, act: Callable[[], None]) -> None:
    """Raise PublicationError when verifying does not say no."""
    try:
        act()
    except PublicationError as error:
        if "cosign verify fails" not in str(error):
            raise
        say(stream, f"{what} is refused")
        return
    raise PublicationError(f"{what} is taken for ours.", "release nothing: look at verify() of tools/publication.py.")


def swap(image: str, digest: str) -> str:
    """The same name with another digest."""
    return f"{image.partition('@')[0]}@{digest}"


def say(stream: TextIO, what: str) -> None:
    """One line of what was proven."""
    print(f"rehearsal: {what}", file=stream, flush=True)


def main(arguments: Sequence[str], environ: Mapping[str, str], stream: TextIO) -> int:
    """Rehearse; 0 when all went as it should, 1 when not."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.rehearsal", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("image", metavar="IMAGE", help="a built image, such as hardening-gate")
    image = parser.parse_args(arguments).image
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as scratch:
        folder = Path(scratch)
        tools = Tools(home=build.default_home(environ), environ={**environ, "HOME": scratch})
        try:
            rehearse(image, tools, folder, stream)
        except PublicationError as error:
            print(f"error: {error}", file=stream)
            return 1
    say(stream, "done; a release can be started (docs/releasing.md)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))
