"""Compressed files of a repository, opened in small pieces, so that a bomb is noticed. No I/O."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import zstandard

from gm_analytics.rpm.strict import Malformed

CHUNK = 64 * 1024
_MEMORY = 256 * 1024 * 1024
"""Bytes that a decompressor may use."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class _Gzip:
    """zlib's decompressor, with the interface of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = CHUNK, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail or data, max_length)


_KINDS: dict[str, Callable[[], _Decompressor]] = {
    ".gz": _Gzip,
    ".bz2": bz2.BZ2Decompressor,
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY),
}
_ERRORS = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError, zstandard.ZstdError)


def pieces(name: str, content: bytes) -> Iterator[bytes]:
    """Give the content of a file in pieces of at most `CHUNK` bytes, decompressed by its name.

    Raises:
        Malformed: it is damaged, or is followed by more, which another reader might read.

    """
    suffix = name[name.rfind(".") :]
    try:
        if suffix in _KINDS:
            yield from _streamed(_KINDS[suffix](), content)
        elif suffix == ".zst":
            reader = zstandard.ZstdDecompressor(max_window_size=_MEMORY).stream_reader(
                content, read_across_frames=True
            )
            yield from iter(lambda: reader.read(CHUNK), b"")
        elif suffix == ".xml":
            yield from (content[at : at + CHUNK] for at in range(0, len(content), CHUNK))
        else:
            raise Malformed(f"a file named *{suffix}", ".xml, .gz, .xz, .zst or .bz2")
    except _ERRORS as error:
        raise Malformed(f"a damaged file ({error})", f"a whole {suffix} file") from error


def _streamed(decompressor: _Decompressor, content: bytes) -> Iterator[bytes]:
    fed = content
    while not decompressor.eof:
        piece = decompressor.decompress(fed, CHUNK)
        fed = b""
        if piece:
            yield piece
        elif not decompressor.eof:
            raise EOFError("it ends too early")
    if decompressor.unused_data:
        raise EOFError("more follows its end")


_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}


def opened(content: bytes, most: int) -> Iterator[bytes]:
    """Give the content of a file in pieces, decompressed as its first bytes say.

    Raises:
        Malformed: it is damaged, or holds more than `most` bytes.

    """
    suffix = next((one for magic, one in _MAGIC.items() if content.startswith(magic)), ".xml")
    size = 0
    for piece in pieces(suffix, content):
        size += len(piece)
        if size > most:
            raise Malformed(f"more than {most:,} bytes in it", "no more")
        yield piece
