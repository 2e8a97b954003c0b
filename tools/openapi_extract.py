"""Writes what the tests need of GitHub's OpenAPI description: the endpoints that `publishing/` uses, and no prose.

    npm pack @octokit/openapi@23.0.2
    python tools/openapi_extract.py octokit-openapi-23.0.2.tgz

The archive must be the pinned one; the files land in tests/publishing/openapi/.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
TARGET: Final = ROOT / "tests" / "publishing" / "openapi"
PACKAGE: Final = "@octokit/openapi@23.0.2"
SHA256: Final = "71a18407dd5e8464f4e0525daf03deabbe65abd9287d6adc7b5d98f516cd0d0c"
DESCRIPTIONS: Final = ("api.github.com", "ghes-3.17")
"""The hosted server, and the oldest one of Enterprise that the package still describes."""
ENDPOINTS: Final = {
    "/user": ("get",),
    "/repos/{owner}/{repo}/pulls": ("get",),
    "/repos/{owner}/{repo}/pulls/{pull_number}": ("get",),
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ("get", "post"),
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ("patch", "delete"),
    "/repos/{owner}/{repo}/issues/{issue_number}/events": ("get",),
    "/repos/{owner}/{repo}/statuses/{sha}": ("post",),
    "/repos/{owner}/{repo}/code-scanning/sarifs": ("post",),
    "/repos/{owner}/{repo}/code-scanning/sarifs/{sarif_id}": ("get",),
    "/orgs/{org}/teams/{team_slug}/memberships/{username}": ("get",),
}
PROSE: Final = frozenset({"description", "summary", "example", "examples", "externalDocs", "tags", "title"})
NAMED: Final = frozenset({"properties", "schemas", "parameters", "responses", "headers", "paths"})
"""Mappings whose keys are names: a property may be called ``title``."""


def main(archive: str) -> int:
    """Exit code: 0 written, 2 another archive than the pinned one."""
    data = Path(archive).read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        print(f"error: {archive} is not {PACKAGE} as pinned. Next step: npm pack {PACKAGE}", file=sys.stderr)
        return 2
    (TARGET / "LICENSE").write_bytes(_member(archive, "package/LICENSE"))
    for name in DESCRIPTIONS:
        whole = json.loads(_member(archive, f"package/generated/{name}.json"))
        target = TARGET / f"{name}.json"
        target.write_text(json.dumps(extract(whole, name), separators=(",", ":"), sort_keys=True) + "\n")
        print(f"{target.relative_to(ROOT)}: {target.stat().st_size} bytes")
    return 0


def extract(whole: dict[str, Any], name: str) -> dict[str, Any]:
    """The endpoints of one description, with all that they refer to."""
    paths = {path: _endpoint(whole["paths"][path], methods) for path, methods in ENDPOINTS.items()}
    result = {
        "openapi": whole["openapi"],
        "info": {"version": whole["info"]["version"], "license": whole["info"]["license"]},
        "x-source": {"package": PACKAGE, "sha256": SHA256, "file": f"generated/{name}.json"},
        "paths": without_prose(paths),
        "components": {},
    }
    waiting = list(references(result["paths"]))
    while waiting:
        _, _, kind, key = waiting.pop().split("/")
        group = result["components"].setdefault(kind, {})
        if key not in group:
            group[key] = without_prose(whole["components"][kind][key])
            waiting.extend(references(group[key]))
    return result


def without_prose(value: Any, *, is_named: bool = False) -> Any:  # noqa: ANN401 any JSON
    """The same description without what only people read; ``is_named``: the keys are names."""
    if isinstance(value, list):
        return [without_prose(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_prose(each, is_named=not is_named and key in NAMED)
        for key, each in value.items()
        if is_named or (key not in PROSE and (not key.startswith("x-") or key == "x-source"))
    }


def references(value: Any) -> list[str]:  # noqa: ANN401 any JSON
    """Every ``$ref`` inside."""
    if isinstance(value, list):
        return [found for each in value for found in references(each)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    return own + [found for each in value.values() for found in references(each)]


def _endpoint(item: dict[str, Any], methods: tuple[str, ...]) -> dict[str, Any]:
    return {key: item[key] for key in (*methods, "parameters") if key in item}


def _member(archive: str, name: str) -> bytes:
    with tarfile.open(archive) as opened:
        file = opened.extractfile(name)
        assert file is not None
        return file.read()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
