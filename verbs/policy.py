"""Whose policy counts, and what it says once the command line has had its word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from controls.catalogue import Catalogue
from controls.configuration import Configuration, require_framework
from manifests.files import NotReadError, kind_of, read_file, reported
from manifests.parse import parse
from model.audit import Reason
from model.errors import UsageError
from model.policy import Policy
from settings import CONFIG, ScanSettings
from verbs.outcome import under

REMEDY = "Write one YAML mapping that starts with `version: 1`; see docs/usage.md."


def settle(
    wanted: ScanSettings, catalogue: Catalogue, head_root: Path, base_root: Path | None
) -> tuple[Policy, tuple[Reason, ...]]:
    """The policy of this run, and what is wrong with a configuration of head that does not count yet: that blocks.

    Raises UsageError for a configuration that counts and makes no sense.
    """
    for framework in wanted.frameworks:
        require_framework(framework)
    objections: tuple[Reason, ...] = ()
    if wanted.policy == "head":
        counts = _read(head_root, wanted, catalogue)
    elif base_root is None:
        raise UsageError(
            "--policy base needs a base that is a folder", "Name it with --base DIR, or use --policy head."
        )
    else:
        counts = _read(base_root, wanted, catalogue)
        objections = tuple(_objections(head_root, wanted, catalogue))
    return (
        replace(
            counts,
            gate=under(counts.gate, wanted.gate),
            frameworks=wanted.frameworks or counts.frameworks,
            scanners=wanted.scanners or counts.scanners,
        ),
        objections,
    )


def _objections(head_root: Path, wanted: ScanSettings, catalogue: Catalogue) -> Iterator[Reason]:
    """A configuration that would break the gate after the merge."""
    try:
        _read(head_root, wanted, catalogue)
    except UsageError as error:
        yield Reason(rule="configuration", number=error.message, limit="a valid configuration", remedy=error.remedy)


def _read(root: Path, wanted: ScanSettings, catalogue: Catalogue) -> Policy:
    """The policy that a tree states; the default where it has no configuration and none was named."""
    file = root / (wanted.config or CONFIG)
    if kind_of(file) is None:
        if wanted.config is None or (wanted.base is not None and wanted.policy == "base"):
            return Policy()
        raise UsageError(f"the configuration {reported(file)} does not exist", "Name a file relative to the root.")
    name = reported(file.relative_to(root)) if file.is_relative_to(root) else reported(file)
    try:
        parsed = parse(read_file(file))
    except NotReadError as error:
        raise UsageError(f"{name}: {error.reason}", error.remedy) from error
    for remark in parsed.broken:
        raise UsageError(f"{name}:{remark.line}: {remark.reason}", REMEDY)
    if len(parsed.documents) != 1:
        raise UsageError(f"{name}: holds {len(parsed.documents)} documents instead of one", REMEDY)
    document = parsed.documents[0]
    for path in document.duplicate_keys:
        mark, _ = document.marks.at(path)
        raise UsageError(f"{name}:{mark.line}: the key {path[-1]!r} stands there twice", "Keep one of them.")
    return Configuration(name, document.value, document.marks).policy(catalogue.controls)
