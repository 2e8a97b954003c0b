"""From the lines that a chart printed to the lines of its templates, where a marked rendering proves it.

The marked rendering must print the same lines as the plain one, marks aside, document by document; a document in which
it does not proves nothing. A mark alone is not believed: what is written on the line it names must stand in the printed
line. Whatever a template prints, only lines of the chart's own templates come of it.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from manifests.helm.marking import HOLE, Marker, Site
from model.resource import Location, Precision, Printed, Written
from model.values import Mark

KIND = re.compile(r"kind:\s*[\"']?(\w+)[\"']?\s*$")

Document = list[tuple[int, str]]
"""The lines that are not blank: number in the output, and text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the lines of one chart's output were written."""

    files: tuple[str, ...]
    """The templates, as reports show them."""
    lines: Mapping[int, Written]
    """Where each line was written: the nearest place that holds its text, else the one that printed it."""
    outer: Mapping[int, tuple[Written, ...]]
    """All places that had a part in a line, the outermost first."""
    kinds: Mapping[tuple[str, str], int]
    """By file and kind: the line that alone in its file says ``kind: KIND``."""

    def printed(self, marks: Mark) -> Printed:
        """The way back for one object."""
        return Printed(marks=marks, lines=self.lines, files=self.files)

    def start(self, path: str, marks: Mark, kind: str) -> Location | None:
        """The first line of an object in its own template, or that of its kind."""
        outer = self.outer.get(marks.value_line, ())
        line = next((each.line for each in outer if self.files[each.file] == path), self.kinds.get((path, kind)))
        return None if line is None else Location(path=path, line=line, column=1, precision=Precision.RESOURCE)


def untraced(files: Sequence[str], texts: Sequence[str]) -> Provenance:
    """What the texts of the templates alone say."""
    kinds = {
        (file, kind): lines[0]
        for file, text in zip(files, texts, strict=True)
        for kind, lines in _kinds(text).items()
        if len(lines) == 1
    }
    return Provenance(files=tuple(files), lines={}, outer={}, kinds=kinds)


def _kinds(text: str) -> Mapping[str, list[int]]:
    found = defaultdict[str, list[int]](list)
    for number, line in enumerate(text.split("\n"), start=1):
        if match := KIND.match(line):
            found[match[1]].append(number)
    return found


def trace(plain: str, marked: str, marker: Marker, known: Provenance) -> Provenance:
    """What two renderings of one chart prove, added to what is ``known`` of its templates."""
    places = _Places(marker.sites)
    lines: dict[int, Written] = {}
    outer: dict[int, tuple[Written, ...]] = {}
    twins = dict(_documents(marked))
    for label, document in _documents(plain):
        for number, text, identities in _same(document, twins.get(label, []), marker.pattern):
            found = places.of(text, identities)
            if found:
                outer[number] = tuple(reversed(found))
                lines[number] = next((each for each in found if each.text), found[0])
    return replace(known, lines=lines, outer=outer)


class _Places:
    """What the marks of a line stand for."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._sites = sites
        self._known: dict[int, Written] = {}

    def of(self, text: str, identities: Sequence[str]) -> list[Written]:
        """The innermost first. A mark that nobody made stands for nothing."""
        numbers = [int(each) for each in identities if len(each) < 10 and int(each) < len(self._sites)]
        return [self._written(number) for number in numbers if _may_print(self._sites[number], text)]

    def _written(self, number: int) -> Written:
        known = self._known.get(number)
        if known is None:
            site = self._sites[number]
            known = Written(file=site.file, line=site.line, text="" if site.prints_lines else site.text)
            self._known[number] = known
        return known


def _may_print(site: Site, text: str) -> bool:
    """Whether a printed line holds what stands on the template's line; of other lines that one says nothing."""
    if site.prints_lines:
        return True
    first, *rest = (part.strip() for part in site.text.split(HOLE))
    if first:
        return text.lstrip().startswith(first)
    written = next((part for part in rest if part), "")
    return bool(written) and written in text


def _documents(output: str) -> Iterator[tuple[tuple[str, int], Document]]:
    """The documents by what they say of their template, and how many said the same before."""
    counted: Counter[str] = Counter()
    label, document = "", Document()
    for number, line in enumerate(output.split("\n"), start=1):
        if line.startswith("---"):
            yield (label, counted[label]), document
            counted[label] += 1
            document = []
            continue
        if not document and line.startswith("# Source: "):
            label = line
        if line.strip():
            document.append((number, line))
    yield (label, counted[label]), document


def _same(plain: Document, marked: Document, pattern: re.Pattern[str]) -> Iterator[tuple[int, str, list[str]]]:
    """The lines that are equal in two documents of as many lines: number, text and marks."""
    bare = [(pattern.sub("", line).rstrip(), line) for _, line in marked]
    bare = [(text, line) for text, line in bare if text.strip()]
    if len(bare) != len(plain):
        return
    for (number, text), (stripped, line) in zip(plain, bare, strict=True):
        if text.rstrip() == stripped and stripped != line:
            yield number, text, pattern.findall(line)
