from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import EnvironmentBrokenError
from process.attachment import Attachment


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


def read(pieces: Sequence[bytes], limit: int = 1 << 20) -> Attachment:
    """What is read of these pieces, written one after the other."""
    reader, writer = os.pipe()

    def write() -> None:
        for piece in pieces:
            os.write(writer, piece)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with Attachment(reader, limit) as attachment:
            while attachment.is_open:
                attachment.wait(1)
    finally:
        thread.join()
        os.close(reader)
    return attachment


def cut(data: bytes, places: Sequence[int]) -> Iterator[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return (data[first:last] for first, last in pairwise(edges) if first < last)


@given(
    frames=st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8),
    places=st.lists(st.integers(min_value=0, max_value=400), max_size=8),
)
def test_both_streams_are_told_apart_wherever_the_connection_cuts_them(
    frames: list[tuple[int, bytes]], places: list[int]
) -> None:
    whole = b"".join(frame(stream, data) for stream, data in frames)
    attachment = read(list(cut(whole, places)))
    assert attachment.stdout.kept == b"".join(data for stream, data in frames if stream == 1)
    wanted = b"".join(data for stream, data in frames if stream == 2).decode("utf-8", "replace")
    assert str(attachment.stderr) == wanted


def test_no_more_is_kept_than_the_limit() -> None:
    attachment = read([frame(1, b"x" * 1000)] * 20, limit=1500)
    assert (len(attachment.stdout.kept), attachment.stdout.overflowed) == (1500, True)


def test_what_is_no_output_of_a_container_is_refused() -> None:
    with pytest.raises(EnvironmentBrokenError, match="a stream 9"):
        read([frame(9, b"x")])
