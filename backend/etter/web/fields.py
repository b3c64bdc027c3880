"""Types of input fields: bounds and patterns stand in the type, so the API document shows them too."""

from typing import Annotated, TypeAlias

from msgspec import Meta

# No angle brackets (markup) and no control characters; PostgreSQL refuses NUL outright.
_PLAIN = r"^[^<>\x00-\x1f\x7f]*\Z"
# `\S` first: a name of blanks is no name.
_NAMED = r"^[^<>\x00-\x20\x7f][^<>\x00-\x1f\x7f]*\Z"

Id: TypeAlias = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=120, pattern=_NAMED)]
Text: TypeAlias = Annotated[str, Meta(max_length=2000, pattern=r"^[^<>\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z")]
Search: TypeAlias = Annotated[str, Meta(min_length=1, max_length=80, pattern=_PLAIN)]
Email: TypeAlias = Annotated[
    str,
    Meta(
        min_length=6,
        max_length=254,
        pattern=r"^[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\Z",
    ),
]
PageNumber: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000)]
PageSize: TypeAlias = Annotated[int, Meta(ge=1, le=100)]
Cursor: TypeAlias = Annotated[str, Meta(max_length=400, pattern=r"^[A-Za-z0-9_-]*\Z")]
FieldList: TypeAlias = Annotated[str, Meta(min_length=1, max_length=400, pattern=r"^[a-z_]+(?:,[a-z_]+)*\Z")]
