"""A server of real repositories over HTTP, which remembers what it was asked and by whom."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.revisions.workshop import ENVIRONMENT


@dataclass(slots=True, kw_only=True)
class Host:
    """What a server of ``place`` does, and what it has seen."""

    place: Path
    url: str = ""
    wanted: str = ""
    """The Authorization without which nothing is served; empty: anybody is."""
    redirect: str = ""
    """Where every request is sent."""
    seen: list[str | None] = field(default_factory=list)
    """The Authorization of each request."""
    requested: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)
    """Of every process of the machine, at each request."""


@contextmanager
def hosting(host: Host) -> Iterator[Host]:
    """Serve until the end; ``host.url`` says where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 as the base class has it
            """Nobody reads it."""

        def do_GET(self) -> None:
            answer(host, self)

        do_POST = do_GET  # noqa: N815 as the base class wants it

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        host.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


def answer(host: Host, asked: BaseHTTPRequestHandler) -> None:
    """A redirection, a refusal, or what git's own server program says."""
    host.seen.append(asked.headers["Authorization"])
    host.requested.append(asked.path)
    host.arguments += command_lines()
    if host.redirect:
        asked.send_response(301)
        asked.send_header("Location", host.redirect + asked.path)
        asked.end_headers()
    elif host.wanted and asked.headers["Authorization"] != host.wanted:
        asked.send_response(401)
        asked.send_header("WWW-Authenticate", 'Basic realm="x"')
        asked.end_headers()
    else:
        serve(host, asked)


def serve(host: Host, asked: BaseHTTPRequestHandler) -> None:
    path, _, query = asked.path.partition("?")
    body = asked.rfile.read(int(asked.headers["Content-Length"] or 0))
    done = subprocess.run(
        ["git", "-c", "safe.directory=*", "http-backend"],
        env={
            **ENVIRONMENT,
            "CONTENT_TYPE": asked.headers["Content-Type"] or "",
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(host.place),
            "GIT_PROTOCOL": asked.headers["Git-Protocol"] or "",
            "HTTP_CONTENT_ENCODING": asked.headers["Content-Encoding"] or "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": asked.command,
        },
        input=body,
        capture_output=True,
        check=True,
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    asked.send_response(200)
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(": ")
        asked.send_header(name, value)
    asked.end_headers()
    asked.wfile.write(content)


def command_lines() -> Iterator[str]:
    """Of every process that runs here, as other users see them."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                yield os.fsdecode((folder / "cmdline").read_bytes())
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
