"""The shape of `request:` and `response:` in policies.yaml: fields that a route sets, adds and removes."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from veneer.core.cors import EXPOSED
from veneer.policy import spelling
from veneer.policy.shape import FieldName, Shape, Text, option

FieldValue = Annotated[str, StringConstraints(pattern=spelling.FIELD_VALUE)]


class RequestFieldsShape(Shape):
    """Fields of requests, before they are looked up: what is set or removed holds for the cache and for the backend.

    So a field that is removed tells no responses apart, and one that is set is the same for all clients. What belongs
    to a connection, selects among stored responses or is written by the proxy cannot be edited.
    """

    set: dict[FieldName, FieldValue] = option({}, "Fields that replace those of the same name.", max_length=32)
    add: dict[FieldName, FieldValue] = option({}, "Fields that come beside those of the same name.", max_length=32)
    remove: list[FieldName] = option(
        [],
        "Fields that are taken out.",
        "Without Authorization or Cookie the backend answers everybody as a stranger, and all share what it says.",
        max_length=32,
    )


class ResponseFieldsShape(Shape):
    """Fields of responses on their way to clients: of stored ones as of others, of all statuses, also the proxy's own.

    What is stored keeps the fields that came. What tells how a body is framed or coded, and how long a response is
    fresh, cannot be edited; `Cache-Control` may be set to what lets clients keep less, as `no-store`.
    """

    set: dict[FieldName, FieldValue] = option({}, "Fields that replace those of the same name.", max_length=32)
    add: dict[FieldName, FieldValue] = option({}, "Fields that come beside those of the same name.", max_length=32)
    remove: list[FieldName] = option([], "Fields that are taken out.", max_length=32)
    keep_tags: bool = option(
        False,
        "Let `Cache-Groups`, `Cache-Tag`, `Surrogate-Key` and `Cache-Group-Invalidation` reach clients, for a cache in "
        "front of this one. Otherwise they are taken out once they have been read.",
        "Tags tell clients how the backend names what they may not see.",
    )
    security: bool = option(
        False,
        "Add, where the backend does not send them, `X-Content-Type-Options: nosniff`, `X-Frame-Options: SAMEORIGIN`, "
        "`Referrer-Policy: strict-origin-when-cross-origin` and `Cross-Origin-Opener-Policy: same-origin`.",
    )


class CorsShape(Shape):
    """Which pages may read the proxy's own answers: 429, 502 and the like, and what it makes of a stored response.

    All other answers carry what the backend says.
    """

    origins: list[Text] = option(
        [], 'Origins as browsers send them, as in `["https://app.example"]`; `*` is every page.', max_length=256
    )
    credentials: bool = option(False, "Pages of `origins` may read answers to requests with credentials.")
    expose: list[FieldName] = option(list(EXPOSED), "Fields that pages of `origins` may read.", max_length=32)
    learn: bool = option(
        True,
        "A page to which the backend allowed it in its last answer on the route may read them too, as far as that "
        "answer let it.",
    )
