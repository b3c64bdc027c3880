"""`fields=a,b` on a single thing: of what was read, only what was asked for travels."""

from functools import cache
from typing import Union

import msgspec
from msgspec import UNSET, UnsetType

from etter.web.fields import FieldList
from etter.web.pagination import chosen_fields


class DetailQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What every detail understands."""

    fields: FieldList | None = None


@cache
def sparse_type(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return the type of a detail of which any field may be absent."""
    fields = [(one.name, Union[one.type, UnsetType], UNSET) for one in msgspec.structs.fields(kind)]  # noqa: UP007 - known at run time only
    return msgspec.defstruct(f"{kind.__name__}Fields", fields, frozen=True, kw_only=True)


def sparse(detail: msgspec.Struct, fields: str | None) -> msgspec.Struct:
    """Keep the chosen fields. Raises ValidationError for one that there is not."""
    if fields is None:
        return detail
    kind = type(detail)
    chosen = chosen_fields(fields, kind.__struct_fields__)
    return sparse_type(kind)(**{name: getattr(detail, name) for name in kind.__struct_fields__ if name in chosen})
