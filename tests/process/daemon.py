"""A daemon without Docker: its containers are processes of this machine that print as containers do."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from model.errors import EnvironmentBrokenError
from model.values import Json
from process.containers import State
from process.family import FAMILY


class Container:
    """One that was created; it starts once."""

    def __init__(self, body: Any) -> None:
        self.body = body
        self.reader, self.writer = os.pipe()
        self.stopped = False
        self.child: subprocess.Popen[bytes] | None = None
        self.pumps: list[threading.Thread] = []

    def start(self) -> None:
        body = self.body
        variables = dict(pair.split("=", 1) for pair in body["Env"] if "=" in pair)
        self.child = subprocess.Popen(
            [*body["Entrypoint"], *body["Cmd"]],
            cwd=body["WorkingDir"],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        FAMILY.leaders[self.child.pid] = self  # else the sandbox takes it for a stray of its own
        lock = threading.Lock()
        for number, pipe in ((1, self.child.stdout), (2, self.child.stderr)):
            self.pumps.append(threading.Thread(target=self._pump, args=(number, pipe, lock)))
            self.pumps[-1].start()
        threading.Thread(target=self._close).start()

    def _pump(self, number: int, pipe: Any, lock: threading.Lock) -> None:
        with pipe:
            while data := os.read(pipe.fileno(), 32 << 10):
                with lock, suppress(BrokenPipeError):
                    os.write(self.writer, struct.pack(">BxxxL", number, len(data)) + data)

    def _close(self) -> None:
        for pump in self.pumps:
            pump.join()
        os.close(self.writer)

    def kill(self) -> None:
        if self.child and self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        if self.child:
            FAMILY.leaders.pop(self.child.pid, None)


class Daemon:
    """``Engine``; what happened to it stands in ``calls``. ``broken`` names calls that fail."""

    def __init__(self, broken: tuple[str, ...] = ()) -> None:
        self.containers: dict[str, Container] = {}
        self.calls: list[str] = []
        self.bodies: list[Any] = []
        self.broken = broken
        self.lock = threading.RLock()

    def again(self) -> Daemon:
        self._note("again")
        return self

    def close(self) -> None:
        self._note("close")

    def create(self, name: str, body: Mapping[str, Json]) -> None:
        self._note("create")
        self.bodies.append(body)
        self.containers[name] = Container(body)

    @contextmanager
    def attached(self, name: str) -> Iterator[int]:
        self._note("attach")
        container = self._known(name)
        try:
            yield container.reader
        finally:
            os.close(container.reader)

    def start(self, name: str) -> None:
        self._note("start")
        with self.lock:
            self._known(name).start()

    def state(self, name: str) -> State | None:
        container = self.containers.get(name)
        if container is None:
            return None
        child = container.child
        assert child
        code = child.poll()
        return State(is_running=code is None, exit_code=0 if code is None else 128 - code if code < 0 else code)

    def kill(self, name: str) -> None:
        self._note("kill")
        if name in self.containers:
            self.containers[name].kill()

    def remove(self, name: str) -> bool:
        self._note("remove")
        with self.lock:
            container = self.containers.pop(name, None)
            if container is not None:
                container.kill()
        return container is not None

    def _known(self, name: str) -> Container:
        if name not in self.containers:
            raise EnvironmentBrokenError(f"there is no {name}", "Create it.")
        return self.containers[name]

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call in self.broken:
            raise EnvironmentBrokenError(f"{call} does not work", "Repair it.")
