"""The event of a workflow, from its file and the runner's variables: an Occasion, or the reason why it is none.

It believes the runner, which alone sets these variables, and takes from the payload only what it understands.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from typing import Final

from model.errors import UsageError
from model.occasion import PULL_REQUEST, REMEDY, Label, Occasion, PullRequest, Push, Trigger
from model.values import Json, dig, sequence

LARGEST: Final = 32 << 20
"""Bytes of an event file; GitHub itself drops payloads of more than 25 MB."""
SERVER: Final = "https://github.com"
BEARS_PULL_REQUEST: Final = PULL_REQUEST | {"pull_request_target"}
FREE_ACTION: Final = "repository_dispatch"
"""Its ``action`` is whatever the caller of the API has written."""


def read(environment: Mapping[str, str]) -> Occasion | None:
    """What started this run; None outside of a workflow. Raises UsageError for an event that cannot be understood."""
    if not environment.get("GITHUB_EVENT_NAME"):
        return None
    payload = _payload(_variable(environment, "GITHUB_EVENT_PATH"))
    event, repository = _variable(environment, "GITHUB_EVENT_NAME"), _variable(environment, "GITHUB_REPOSITORY")
    has_pull_request = event in BEARS_PULL_REQUEST
    return Occasion(
        event=event,
        action=None if event == FREE_ACTION else _optional(payload, "action"),
        repository=repository,
        server=(environment.get("GITHUB_SERVER_URL") or SERVER).rstrip("/"),
        sha=_variable(environment, "GITHUB_SHA"),
        ref=environment.get("GITHUB_REF") or None,
        default_branch=_optional(payload, "repository", "default_branch"),
        actor=environment.get("GITHUB_ACTOR") or None,
        pull_request=_pull_request(payload, repository) if has_pull_request else None,
        labels=tuple(sorted(_labels(payload), key=lambda label: label.name)) if has_pull_request else (),
        push=_push(payload) if event == "push" else None,
        merge_group_base=_text(payload, "merge_group", "base_sha") if event == "merge_group" else None,
        trigger=_trigger(payload) if event == "workflow_run" else None,
    )


def _pull_request(payload: Json, repository: str) -> PullRequest:
    number = dig(payload, "pull_request", "number")
    if not isinstance(number, int) or isinstance(number, bool):
        raise _unusable("pull_request.number")
    fork = _optional(payload, "pull_request", "head", "repo", "full_name")
    return PullRequest(
        number=number,
        head_sha=_text(payload, "pull_request", "head", "sha"),
        base_sha=_text(payload, "pull_request", "base", "sha"),
        base_ref=_text(payload, "pull_request", "base", "ref"),
        head_repository=fork,
        is_fork=fork is None or fork.lower() != repository.lower(),
        is_draft=_flag(payload, "pull_request", "draft"),
    )


def _labels(payload: Json) -> Iterator[Label]:
    """Those that the pull request bears now; the event that sets one tells who did it."""
    new = _optional(payload, "label", "name") if dig(payload, "action") == "labeled" else None
    for row in sequence(dig(payload, "pull_request", "labels")):
        name = dig(row, "name")
        if not isinstance(name, str):
            raise _unusable("pull_request.labels")
        yield Label(name=name, set_by=_optional(payload, "sender", "login") if name == new else None)


def _push(payload: Json) -> Push:
    before = _text(payload, "before")
    return Push(
        before=None if set(before) == {"0"} else before,
        forced=_flag(payload, "forced"),
        created=_flag(payload, "created"),
        deleted=_flag(payload, "deleted"),
    )


def _trigger(payload: Json) -> Trigger:
    return Trigger(
        event=_text(payload, "workflow_run", "event"),
        head_sha=_text(payload, "workflow_run", "head_sha"),
        head_repository=_optional(payload, "workflow_run", "head_repository", "full_name"),
        head_branch=_optional(payload, "workflow_run", "head_branch"),
    )


def _variable(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise UsageError(
            f"GITHUB_EVENT_NAME says that this is a workflow, but {name} is not set",
            "Hand all GITHUB_* variables of the runner on; outside of a workflow unset GITHUB_EVENT_NAME.",
        )
    return value


def _text(payload: Json, *steps: str) -> str:
    value = dig(payload, *steps)
    if not isinstance(value, str):
        raise _unusable(".".join(steps))
    return value


def _optional(payload: Json, *steps: str) -> str | None:
    return None if dig(payload, *steps) is None else _text(payload, *steps)


def _flag(payload: Json, *steps: str) -> bool:
    value = dig(payload, *steps)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _unusable(".".join(steps))


def _unusable(field: str) -> UsageError:
    return UsageError(f"the event is not usable: {field} is missing, or of another type", REMEDY)


# ---------------------------------------------------------------- its file


def _payload(file: str) -> Json:
    """What the runner has written. Raises UsageError."""
    data = _bytes(file)
    try:
        value: Json = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the event file {file} is no JSON", REMEDY) from error
    if not isinstance(value, dict):
        raise UsageError(f"the event file {file} holds no event", REMEDY)
    return value


def _bytes(file: str) -> bytes:
    """Of a regular file of bounded size: no link, and nothing that never ends."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"the event file {file} is no regular file", REMEDY)
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                data = opened.read(LARGEST + 1)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "its name is not usable"
        raise UsageError(f"the event file {file} cannot be read: {reason.lower()}", REMEDY) from error
    if len(data) > LARGEST:
        raise UsageError(f"the event file {file} is larger than {LARGEST >> 20} MiB", REMEDY)
    return data
