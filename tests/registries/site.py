"""A web server of the test's own on loopback, which remembers what it was asked; and packed charts for it."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from manifests.helm import locks

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {containers: [{name: app, image: x}]}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def moved(location: str, status: int = 302) -> Page:
    return Page(status=status, headers={"Location": location})


@dataclass(slots=True, kw_only=True)
class Site:
    """What is served by path, and the requests that came: each with its headers."""

    url: str = ""
    pages: dict[str, Page | Callable[[Mapping[str, str]], Page]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@contextmanager
def serve() -> Iterator[Site]:
    """The site on a port of its own, until the test is over."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            site.headers.append(dict(self.headers.items()))
            page = site.pages.get(self.path, Page(status=404))
            page = page if isinstance(page, Page) else page(site.headers[-1])
            self.send_response(page.status)
            for name, value in {"Content-Length": str(len(page.body)), **page.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(page.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name of the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pack(name: str, version: str = "1.0.0", extra: str = "", files: Mapping[str, bytes] | None = None) -> bytes:
    """A chart as ``helm package`` packs it, with one pod that has its name."""
    chart = f"apiVersion: v2\nname: {name}\nversion: {version}\n{extra}"
    content = {"Chart.yaml": chart.encode(), "templates/pod.yaml": (POD % name).encode(), **(files or {})}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in content.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def index(*rows: tuple[str, str, str, str]) -> bytes:
    """An ``index.yaml`` of rows of name, version, URL and digest."""
    entries: dict[str, list[dict[str, Any]]] = {}
    for name, version, url, digest in rows:
        entries.setdefault(name, []).append({"name": name, "version": version, "urls": [url], "digest": digest})
    return json.dumps({"apiVersion": "v1", "entries": entries}).encode()


def chart(*dependencies: Mapping[str, Any], name: str = "web") -> dict[str, str]:
    """``Chart.yaml`` with these dependencies, and the lock that Helm would write: ``locked`` is the version in it."""
    asked = [{key: value for key, value in each.items() if key != "locked"} for each in dependencies]
    rows = [
        {"name": each["name"], "version": each.get("locked", each["version"]), "repository": each["repository"]}
        for each in dependencies
    ]
    (digest,) = locks._digests(asked, rows, is_old=False)
    about = {"apiVersion": "v2", "name": name, "version": "0.1.0", "dependencies": asked}
    return {
        f"{name}/Chart.yaml": json.dumps(about),
        f"{name}/Chart.lock": json.dumps({"dependencies": rows, "digest": digest}),
    }


def offer(site: Site, name: str, version: str = "1.0.0", extra: str = "") -> bytes:
    """Put one chart, and an index of it alone, on the site; the archive."""
    data = pack(name, version, extra)
    site.pages[f"/{name}-{version}.tgz"] = Page(body=data)
    site.pages["/index.yaml"] = Page(body=index((name, version, f"{name}-{version}.tgz", sha256(data))))
    return data
