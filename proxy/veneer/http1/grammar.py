"""The rules of single lines (RFC 9112 sections 2 to 5 and 7.1), as parts of regular expressions, and the bounds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from veneer.core.headers import TOKEN_CHARACTERS

CRLF: Final = b"\r\n"
HEAD_END: Final = b"\r\n\r\n"

MAX_PLAIN_HEAD_BYTES: Final = 8 * 1024
"""Longer heads are left to the readers that take any."""
MAX_CHUNK_LINE_BYTES: Final = 4096

TOKEN: Final = f"[{re.escape(''.join(sorted(TOKEN_CHARACTERS)))}]++"
OWS: Final = r"[ \t]*+"
PRINTABLE: Final = "[ -~]"
"""What plain values are made of: of what a field may hold, neither tabs nor obs-text."""

_VISIBLE: Final = r"[!-~\x80-\xff]"
TEXT: Final = r"[\t -~\x80-\xff]"
"""What a reason phrase and a chunk's extension are made of, and the inside of a field's value."""

FIELD_LINE: Final = re.compile(rf"({TOKEN}):{OWS}((?:{_VISIBLE}(?:{TEXT}*{_VISIBLE})?)?){OWS}")
"""A line without its CRLF: name and value (RFC 9112 section 5). The colon follows the name, and no line is folded."""

CHUNK_SIZE: Final = re.compile(rf"([0-9A-Fa-f]{{1,15}})(?:{OWS};{TEXT}*)?".encode("latin-1"))
"""The line before a chunk's data, without its CRLF: the size in hexadecimal (section 7.1)."""
BETWEEN_CHUNKS: Final = re.compile(rb"\r\n(0{0,7}[1-9A-Fa-f][0-9A-Fa-f]{0,7})\r\n")
"""The end of a chunk and the plain beginning of another that is not the last."""

BARE_LF: Final = re.compile(rb"(?<!\r)\n")
"""A line's end that is none (section 2.2)."""


def request_line(method: str, target: str, minor: str) -> str:
    """A request line without its CRLF, of such methods, targets and minor versions (section 3)."""
    return rf"({method}) ({target}) HTTP/1\.({minor})"


def status_line(status: str, reason: str, minor: str) -> str:
    """A status line without its CRLF, of such statuses, reason phrases and minor versions (section 4).

    The space before the reason phrase may be missing, as it is where servers have none to give.
    """
    return rf"HTTP/1\.({minor}) ({status})(?: ({reason}))?"


REQUEST_LINE: Final = re.compile(request_line(TOKEN, "[!-~]++", "[0-9]"))
STATUS_LINE: Final = re.compile(status_line("[1-9][0-9]{2}", f"{TEXT}*", "[0-9]"))


def lines_named(names: Iterable[str]) -> re.Pattern[bytes]:
    """Field lines with one of these names and a plain value, where they follow a line and are ended by CRLF.

    The groups are what stands before the value, from the CRLF before the name on, and the value.
    """
    return re.compile(rf"(\r\n(?i:{'|'.join(names)}):[ \t]*)({PRINTABLE}*)(?=\r\n)".encode("ascii"))


def says_keep_alive(connection: str) -> bool:
    """Whether a Connection field says nothing but that the connection stays, which it does anyhow in HTTP/1.1."""
    return connection.lower() == "keep-alive"
