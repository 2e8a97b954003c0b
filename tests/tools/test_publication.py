"""Publishing with tools that only write down what they are asked to do; tests/container/ starts the real ones."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools import build, publication, rehearsal
from tools.publication import PublicationError, Tools

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"ghcr.io/acme/gate@{DIGEST}"
TOOL = """#!{python}
import json, os, pathlib, sys
words = sys.argv[1:]
if words == {version_arguments!r}:
    print({version_answer!r})
    sys.exit()
with open({record!r}, "a") as record:
    record.write(json.dumps([{name!r}, words, dict(os.environ)]) + "\\n")
if "--output" in words:
    pathlib.Path(words[words.index("--output") + 1]).write_text("{{}}")
if words[0] == {failing!r}:
    sys.exit("no: " + words[0])
print({answer!r})
"""
ENVIRON = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GITHUB_TOKEN": "secret",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "proof",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.test",
}


class Workshop:
    """A home whose tools are programs of ours."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.record = folder / "record"
        self.sbom = folder / "sbom"
        self.archive = folder / "image.tar"
        self.pins = {pin.name: pin for pin in build.read_pins(build.HERE / "pins.json")}
        self.archive.touch()
        self.put("trivy")
        self.put("crane", answer=IMAGE)
        self.put("cosign")

    def put(self, name: str, *, answer: str = "", failing: str = "") -> None:
        pin = self.pins[name]
        text = TOOL.format(
            python=sys.executable,
            version_arguments=list(pin.version_arguments),
            version_answer=pin.version_answer,
            record=str(self.record),
            name=name,
            failing=failing,
            answer=answer,
        )
        binary = pin.binary(self.home)
        binary.parent.mkdir(parents=True, exist_ok=True)
        binary.write_text(text, encoding="utf-8")
        binary.chmod(0o755)

    def run(self, *words: str, environ: Mapping[str, str] = ENVIRON) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        code = publication.main(["--home", str(self.home), *words], environ, out, err)
        return code, out.getvalue(), err.getvalue()

    def publish(self, to: str = "ghcr.io/acme/gate:1.2.0", repository: str = "Acme/gate") -> tuple[int, str, str]:
        words = ("publish", str(self.archive), str(self.sbom), "--title", "gate-1.2.0", f"--to={to}")
        return self.run(*words, "--repository", repository)

    def asked(self) -> list[Any]:
        if not self.record.exists():
            return []
        return [json.loads(line) for line in self.record.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.mark.threat("P10")
def test_an_image_is_pushed_signed_attested_and_verified_in_this_order_by_its_digest(shop: Workshop) -> None:
    assert shop.publish() == (0, f"{IMAGE}\n", "")
    assert [(name, words[0], words[-1]) for name, words, _ in shop.asked()] == [
        ("crane", "push", "ghcr.io/acme/gate:1.2.0"),
        ("cosign", "sign", IMAGE),
        ("cosign", "attest", IMAGE),
        ("cosign", "attest", IMAGE),
        ("cosign", "verify", IMAGE),
        ("cosign", "verify-attestation", IMAGE),
        ("cosign", "verify-attestation", IMAGE),
    ]


@pytest.mark.threat("P10")
def test_only_who_signs_can_prove_who_the_job_is_and_nobody_gets_a_token(shop: Workshop) -> None:
    shop.publish()
    proven = {words[0] for _, words, environ in shop.asked() if environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")}
    assert proven == {"sign", "attest"}
    assert not [environ for _, _, environ in shop.asked() if "GITHUB_TOKEN" in environ]


@pytest.mark.parametrize(
    ("identity", "fits"),
    [
        ("https://github.com/Acme/gate.x/.github/workflows/release.yml@refs/heads/main", True),
        ("https://github.com/Acme/gate.x/.github/workflows/release.yml@refs/heads/release/1.x", True),
        ("https://github.com/Acme/gate.x/.github/workflows/release.yml@refs/heads/mainly", False),
        ("https://github.com/Acme/gate.x/.github/workflows/release.yml@refs/pull/1/merge", False),
        ("https://github.com/Acme/gate.x/.github/workflows/other.yml@refs/heads/main", False),
        ("https://github.com/Acme/gateAx/.github/workflows/release.yml@refs/heads/main", False),
        ("https://github.com/Mallory/gate.x/.github/workflows/release.yml@refs/heads/main", False),
        ("https://evil.test/https://github.com/Acme/gate.x/.github/workflows/release.yml@refs/heads/main", False),
    ],
)
@pytest.mark.threat("P10")
def test_only_the_release_workflow_on_its_branches_is_trusted(identity: str, fits: bool) -> None:  # noqa: FBT001 a row
    words = publication.workflow("Acme/gate.x", {}).verifying
    pattern = words[0].removeprefix("--certificate-identity-regexp=")
    assert bool(re.search(pattern, identity)) is fits
    assert words[1] == "--certificate-oidc-issuer=https://token.actions.githubusercontent.com"


def test_users_are_told_to_ask_for_the_same_identity() -> None:
    text = (build.HERE.parent / "SECURITY.md").read_text(encoding="utf-8")
    for word in publication.workflow("OWNER/REPOSITORY", {}).verifying:
        option, value = word.split("=", 1)
        assert f"{option} {value} " in text or f"{option} '{value}'\n" in text


def test_what_the_image_holds_is_written_twice_with_checksums(shop: Workshop) -> None:
    code, _, err = shop.run("sbom", str(shop.archive), str(shop.sbom), "--title", "gate-1.2.0")
    assert (code, err) == (0, "")
    names = {"gate-1.2.0.cdx.json": "cyclonedx", "gate-1.2.0.spdx.json": "spdx-json"}
    digest = hashlib.sha256(b"{}").hexdigest()
    assert (shop.sbom / "SHA256SUMS").read_text() == "".join(f"{digest}  {name}\n" for name in names)
    for (_, words, _), (name, format_) in zip(shop.asked(), names.items(), strict=True):
        assert words[words.index("--format") + 1] == format_
        assert words[words.index("--output") + 1].endswith(name)
        assert set(publication.WITHOUT_NETWORK) <= set(words)


@pytest.mark.parametrize(
    "to", ["ghcr.io/acme/gate", "ghcr.io/Acme/gate:1", "gate:1", "ghcr.io/acme/gate:", "ghcr.io/a/b:1 x", "-x/y:1"]
)
def test_what_is_no_place_for_an_image_is_refused_before_anything_is_pushed(shop: Workshop, to: str) -> None:
    code, out, err = shop.publish(to)
    assert (code, out, shop.asked()) == (1, "", [])
    assert "is no place for an image.\nNext step: " in err


@pytest.mark.parametrize("repository", ["acme", "acme/gate/x", "acme/gate.*|.*", "", "../gate"])
def test_what_is_no_repository_is_refused_before_anything_is_pushed(shop: Workshop, repository: str) -> None:
    code, out, err = shop.publish(repository=repository)
    assert (code, out, shop.asked()) == (1, "", [])
    assert "names no repository.\nNext step: " in err


@pytest.mark.parametrize("failing", ["sign", "attest", "verify", "verify-attestation"])
@pytest.mark.threat("P10")
def test_an_image_that_does_not_verify_is_not_named(shop: Workshop, failing: str) -> None:
    shop.put("cosign", failing=failing)
    code, out, err = shop.publish()
    assert (code, out) == (1, "")
    assert f"cosign {failing} fails (exit 1): no: {failing}\nNext step: " in err


def test_a_registry_that_names_no_digest_is_an_error(shop: Workshop) -> None:
    shop.put("crane", answer="pushed")
    code, out, err = shop.publish()
    assert (code, out) == (1, "")
    assert "crane push answers with no digest" in err


def test_an_absent_tool_is_named_with_the_next_step(shop: Workshop) -> None:
    shop.pins["cosign"].binary(shop.home).unlink()
    code, _, err = shop.publish()
    assert code == 1
    assert "Next step: build it: python3 tools/build.py cosign" in err


def test_anybody_can_ask_whether_an_image_was_released(shop: Workshop) -> None:
    assert shop.run("verify", IMAGE, "--repository", "acme/gate") == (0, f"{IMAGE} was released by acme/gate\n", "")
    shop.put("cosign", failing="verify")
    assert shop.run("verify", IMAGE, "--repository", "acme/gate")[0] == 1


@pytest.mark.parametrize("image", ["ghcr.io/acme/gate:1.2.0", "ghcr.io/acme/gate", f"-x/y@{DIGEST}"])
@pytest.mark.threat("P10")
def test_what_could_be_moved_is_not_verified(shop: Workshop, image: str) -> None:
    code, out, err = shop.run("verify", "--repository", "acme/gate", "--", image)
    assert (code, out, shop.asked()) == (1, "", [])
    assert "names no image by digest" in err


def test_a_rehearsal_without_docker_or_without_the_image_says_what_to_do(shop: Workshop, tmp_path: Path) -> None:
    said = io.StringIO()
    with pytest.raises(PublicationError, match=r"no docker on PATH\.\nNext step: install Docker, run `make image`"):
        rehearsal.rehearse("gate", Tools(home=shop.home, environ={"PATH": str(tmp_path)}), tmp_path, said)
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'No such image: gate' >&2\nexit 1\n")
    docker.chmod(0o755)
    with pytest.raises(PublicationError, match=r"cannot save the image gate: No such image: gate\nNext step: run"):
        rehearsal.rehearse("gate", Tools(home=shop.home, environ={"PATH": str(tmp_path)}), tmp_path, said)


@pytest.mark.threat("P10")
def test_a_rehearsal_ends_when_something_is_taken_for_ours_that_is_not() -> None:
    with pytest.raises(PublicationError, match="a stranger is taken for ours"):
        rehearsal.refused(io.StringIO(), "a stranger", lambda: None)


def test_a_refusal_for_another_reason_proves_nothing() -> None:
    def broken() -> None:
        raise PublicationError("crane digest fails", "x")

    with pytest.raises(PublicationError, match="crane digest fails"):
        rehearsal.refused(io.StringIO(), "a stranger", broken)


def test_what_is_attested_must_be_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "gate.cdx.json").write_text('{"components": [1]}')
    rehearsal.compare({"components": [1]}, tmp_path / "gate.cdx.json")
    with pytest.raises(PublicationError, match=r"what is attested is not gate\.cdx\.json"):
        rehearsal.compare({"components": []}, tmp_path / "gate.cdx.json")
