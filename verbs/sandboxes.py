"""Opens the sandbox of a run with the runner that was asked for; what speaks to Docker is imported for that only."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from process import Observer, Sandbox, unobserved
from settings import DockerRunner


def open_sandbox(runner: DockerRunner | None, home: Path, observer: Observer = unobserved) -> Sandbox:
    """A sandbox whose children are processes, or containers. ``home``: where the tools lie.

    Raises EnvironmentBrokenError, with the next step, where the daemon, its image or a folder that it sees is missing.
    """
    if runner is None:
        return Sandbox(observer=observer)
    from process.engine import open_containers

    containers = open_containers(host=runner.host, image=runner.image, home=home, spare=runner.spare)
    with ExitStack() as undo:
        undo.callback(containers.close)
        sandbox = Sandbox(temporary=containers.temporary, observer=observer, runner=containers)
        undo.pop_all()
    return sandbox
