"""Requests with methods that aiohttp's compiled parser does not take as they come."""

from __future__ import annotations

from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.http_parser import HttpRequestParserPy, RawRequestMessage


class AnyMethodParser(HttpRequestParserPy):
    """aiohttp's Python parser without its habit of turning methods into upper case (RFC 9110 section 9.1).

    It loses nothing beside an Upgrade that it does not know.

    aiohttp's holds what has come of a field line to the bound of request lines, as it does each line that begins what
    is read: here both kinds have one bound, the greater of the two, and the pipeline refuses what is beyond the less.
    """

    @property
    def is_in_request_line(self) -> bool:
        """Whether nothing of the request that is read is whole yet."""
        return not self._lines

    def parse_message(self, lines: list[bytes]) -> RawRequestMessage:
        """The request line and fields. Raises BadHttpMethod for a method that is not in upper case, and for CONNECT.

        After CONNECT everything would be read as a tunnel's.
        """
        method = lines[0].partition(b" ")[0]
        if method != method.upper() or method == b"CONNECT":
            raise BadHttpMethod(method.decode("latin-1"))
        return super().parse_message(lines)
