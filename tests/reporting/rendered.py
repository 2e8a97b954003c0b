"""What GitHub makes of Markdown, and what of it a reader would be led by."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import cmarkgfm  # type: ignore[import-untyped]
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]

ATTACKS = (
    "<img src=https://evil.example/x.png>",
    "![x](https://evil.example/x.png)",
    "[click](javascript:alert(1))",
    "https://evil.example www.evil.example evil@evil.example",
    "</td></tr></table></details><h1>passed</h1>",
    "`</details>`",
    "```\n# passed\n```",
    "` | passed | `",
    "a\\| b \\\\| c \\",
    "\n\n# passed\n\n---\n\n| a |\n|---|\n",
    "@admin @org/team #1 owner/repo#1 GH-1",
    "<!-- hidden",
    "--> <script>alert(1)</script>",
    "&lt;img&gt; &#64;admin",
    "*x* _x_ ~~x~~ **passed**",
    "``",
    "`",
    "```",
    " ` `` ``` ",
    "\u202e\x1b[31m\r\n::error::x",
    "",
    " ",
)
"""Names as nobody should bear them."""

_WITH_HTML = Options.CMARK_OPT_UNSAFE
"""GitHub lets HTML through and sanitises it afterwards: what survives as a tag here is a tag there."""


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.opened: list[str] = []
        self.stack: list[str] = []
        self.text: list[str] = []
        self.outside: list[str] = []
        self.broken: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
        if tag not in {"br", "hr", "img"}:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "code" not in self.stack:
            self.outside.append(data)

    def handle_comment(self, data: str) -> None:
        self.broken.append(f"comment {data}")


class Rendered:
    """A page as GitHub renders it."""

    def __init__(self, markdown: str) -> None:
        self.html = cmarkgfm.github_flavored_markdown_to_html(markdown, _WITH_HTML)
        tags = _Tags()
        tags.feed(self.html)
        tags.close()
        self.tags = tags.opened
        self.links = tags.links
        """Where they lead, in order."""
        self.broken = [*tags.broken, *tags.stack]
        """Tags that close nothing, or are never closed."""
        self.text = "".join(tags.text)
        self.outside = "".join(tags.outside)
        """Text that stands in no code span."""

    @property
    def columns(self) -> set[tuple[int, ...]]:
        """The numbers of cells of the rows of each table."""
        tables = re.findall(r"<table>.*?</table>", self.html, flags=re.DOTALL)
        return {
            tuple(
                sorted({len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)})
            )
            for table in tables
        }

    def led_astray(self, links: tuple[str, ...] = ()) -> list[str]:
        """Whatever a hostile text has got through, in words; empty when nothing has.

        ``links``: beginnings of addresses that may be linked to; in them a path goes no way up or out.
        """
        found = [f"<{tag}>" for tag in self.tags if tag in {"img", "h1", "hr", "script", "input", "del"}]
        found += [f"link to {link}" for link in self.links if not _is_allowed(link, links)]
        found += [f"broken {tag}" for tag in self.broken]
        found += re.findall(r"(?<!\w)@\w+|\w*#\d+|(?i:gh)-\d+", self.outside)
        return found


def _is_allowed(link: str, beginnings: tuple[str, ...]) -> bool:
    """As a browser reads it, which takes ``..``, ``%2e%2e`` and a backslash for ways up."""
    path = re.sub(r"(?i)%2e", ".", link.replace("\\", "/"))
    return link.startswith(beginnings) and not {".", ".."} & set(re.split(r"[/?#]", path))
