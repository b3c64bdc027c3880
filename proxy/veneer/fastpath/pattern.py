"""What is the same in many heads, and what stands in between."""

from __future__ import annotations

from typing import Final

Values = list[bytes]

_TEXT: Final = range(0x20, 0x7F)
_PLAIN: Final = bytes([one if one in _TEXT else 0x20 for one in range(256)])
"""What is visible ASCII or a space stays as it is, and nothing else does."""


class Pattern:
    """Bytes with values between them, as `texts` around them; each value ends before `ends`, found there first."""

    __slots__ = ("_ends", "_first", "_lengths", "_pieces", "stop")

    def __init__(self, texts: list[bytes], ends: list[bytes]) -> None:
        self._first, *self._pieces = texts
        self._ends = ends
        self._lengths = [0 for _ in ends]
        self.stop = 0
        """Where the head ended in what `values` has read last."""

    def values(self, data: bytes) -> Values | None:
        """The values in what begins `data`; None where that is something else.

        Each value is looked for where it ended the last time. So one that is read may hold any bytes: whoever reads
        it has to look it up as a whole, or to see whether it is plain.
        """
        if not data.startswith(self._first):
            return None
        values: Values = []
        start = len(self._first)
        lengths = self._lengths
        for number, piece in enumerate(self._pieces):
            stop = start + lengths[number]
            after = stop + len(piece)
            if data[stop:after] != piece:
                stop = data.find(self._ends[number], start)
                after = stop + len(piece)
                if stop < 0 or data[stop:after] != piece:
                    return None
                lengths[number] = stop - start
            values.append(data[start:stop])
            start = after
        self.stop = start
        return values


class Template:
    """A head to be filled: texts, and between them values by their places in a list. It is made line by line.

    Every second of `_pieces` is a text. Between them stand the values it was filled with last: to put others in their
    place costs less than another list.
    """

    __slots__ = ("_pieces", "_places")

    def __init__(self, *, text: bytes = b"") -> None:
        self._pieces = [text]
        self._places: list[int] = []

    def add(self, text: bytes) -> None:
        """Go on with what is the same for all."""
        self._pieces[-1] += text

    def add_value(self, place: int) -> None:
        """Go on with a value."""
        self._places.append(place)
        self._pieces += [b"", b""]

    def add_line(self, line: bytes, place: int, value: bytes) -> bool:
        """Go on with a field line whose value is that at `place`; False where it is not `value`, or comes again."""
        name, colon, said = line.partition(b": ")
        if said != value + b"\r\n" or place in self._places:
            return False
        self.add(name + colon)
        self.add_value(place)
        self.add(b"\r\n")
        return True

    def filled(self, values: Values) -> bytes:
        """The head with these values."""
        return b"".join(self._with(values))

    def pieces(self, values: Values, more: list[bytes]) -> list[bytes]:
        """The head with these values, in pieces, and then `more`; the list is the caller's."""
        return self._with(values) + more

    def _with(self, values: Values) -> list[bytes]:
        pieces, at = self._pieces, 1
        for place in self._places:
            pieces[at] = values[place]
            at += 2
        return pieces


def is_printable_ascii(value: bytes) -> bool:
    """Whether a value is visible ASCII and spaces."""
    return value.translate(_PLAIN) == value
