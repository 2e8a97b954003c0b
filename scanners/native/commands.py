"""Start commands that undo what Kubernetes offers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model.values import mapping, sequence, text
from scanners.native.engine import ContainerView, Flaw, Flaws, Step, container_check

SUDO = re.compile(r"(?:^|[\s;&|(])(?:/usr/bin/)?sudo\s|^(?:/usr/bin/)?sudo$")
SSH_SERVER = re.compile(r"(?:^|[\s;&|(/])(?:sshd|dropbear)(?:\s|$)")
SSH_PORT = 22


@container_check("sudo-in-entrypoint", fields=("command", "args"))
def sudo_in_entrypoint(container: ContainerView) -> Flaws:
    """In the command or its arguments, a shell script in one of them included."""
    for steps, word in _words(container):
        if SUDO.search(word):
            yield Flaw(container.at(*steps), "starts with sudo")
            return


@container_check("ssh-server-in-container", fields=("command", "args", "ports"))
def ssh_server_in_container(container: ContainerView) -> Flaws:
    """By its program, or by its port."""
    for steps, word in _words(container):
        if SSH_SERVER.search(word):
            yield Flaw(container.at(*steps), "starts an SSH server")
            return
    for position, port in enumerate(sequence(container.value.get("ports"))):
        if mapping(port).get("containerPort") == SSH_PORT:
            yield Flaw(container.at("ports", position, "containerPort"), "listens on the port of SSH")


def _words(container: ContainerView) -> Iterator[tuple[tuple[Step, ...], str]]:
    for name in ("command", "args"):
        for position, word in enumerate(sequence(container.value.get(name))):
            yield (name, position), text(word)[:10_000]
