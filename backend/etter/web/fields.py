"""Types of input fields: bounds and patterns stand in the type, so the API document shows them too."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeAlias

from msgspec import Meta

# No angle brackets (markup) and no control characters; PostgreSQL refuses NUL outright.
_PLAIN = r"^[^<>\x00-\x1f\x7f]*\Z"
# `\S` first: a name of blanks is no name.
_NAMED = r"^[^<>\x00-\x20\x7f][^<>\x00-\x1f\x7f]*\Z"
_PROSE = r"^[^<>\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z"
_ADDRESS = r"^[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\Z"
_CURSOR = r"^[A-Za-z0-9_-]*\Z"
_FIELDS = r"^[a-z_]+(?:,[a-z_]+)*\Z"
_MEANINGS: Mapping[str, str] = {
    _PLAIN: "Expected text without < and > and without control characters",
    _NAMED: "Expected text that begins with no blank, without < and > and without control characters",
    _PROSE: "Expected text without < and > and without control characters other than ends of lines and tabs",
    _ADDRESS: "Expected an e-mail address, like ada@company.example",
    _CURSOR: "Expected the `next_cursor` of a page, or nothing for the first",
    _FIELDS: "Expected names of fields with commas between them, like id,name",
}
_MATCHING = re.compile(r"Expected `str` matching regex (?P<pattern>.*)", re.DOTALL)


def without_pattern(message: str) -> str:
    """Say in words what a pattern asks for: the pattern itself helps nobody who fills in a form."""
    found = _MATCHING.fullmatch(message)
    if found is None:
        return message
    told = found["pattern"]
    return next((words for pattern, words in _MEANINGS.items() if told == repr(pattern)), "Expected another form")


Id: TypeAlias = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=120, pattern=_NAMED)]
Text: TypeAlias = Annotated[str, Meta(max_length=2000, pattern=_PROSE)]
Search: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80, pattern=_PLAIN)]
Email: TypeAlias = Annotated[
    str,
    Meta(
        min_length=6,
        max_length=254,
        pattern=_ADDRESS,
    ),
]
PageNumber: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=100)]
Cursor: TypeAlias = Annotated[str, Meta(max_length=400, pattern=_CURSOR)]
FieldList: TypeAlias = Annotated[str, Meta(min_length=1, max_length=400, pattern=_FIELDS)]
