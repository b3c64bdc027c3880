"""The shape of `tests:` in policies.yaml."""

from __future__ import annotations

from typing import Annotated

from veneer.policy.schema_identity import IdentityName
from veneer.policy.shape import Duration, FieldName, Method, Name, OneOrMore, Shape, Text, option, required, section


class RequestShape(Shape):
    """The request of a test."""

    method: Method = option("GET", "The method.")
    path: Text = required("The target: path and query.")
    headers: dict[FieldName, str] = option({}, "Request fields.", max_length=64)
    identity: dict[IdentityName, Text] = option(
        {}, 'What the request proves by its Authorization, as in `{tenant: "7"}`; nothing by default.', max_length=16
    )


class ResponseShape(Shape):
    """The backend's response in a test."""

    status: int = option(200, "The status.", ge=100, le=599)
    headers: dict[FieldName, str] = option({}, "Response fields.", max_length=64)


class ExpectShape(Shape):
    """What must come of it; only what is given is checked."""

    route: Name | None = option(None, "The route taken; `default` when none of the listed ones matches.")
    params: dict[Text, str] | None = option(None, "The path parameters.")
    cacheable: bool | None = option(None, "Whether `response` would be stored.")
    ttl: Duration | None = option(None, "How long `response` would be fresh.")
    same_key_as: Text | None = option(None, "Another target that must share this one's cache key.")
    other_key_than: Text | None = option(None, "Another target that must not share it.")
    tags: list[str] | None = option(None, "The tags by policy, in order.")
    invalidates: list[str] | None = option(None, "The tags invalidated by policy, in order.")
    rate_limit: Annotated[list[Name], OneOrMore] | None = option(
        None, "The rate limit, or the list of limits, that counts the request; `null` for none."
    )
    upstream: Name | None = option(None, "The backend asked.")


class TestShape(Shape):
    """One test, run whenever the file is loaded: a file whose tests fail is refused."""

    request: RequestShape = required("The request.")
    response: ResponseShape = section(
        ResponseShape,
        "The backend's response; 200 without fields by default. Give the fields that say a lifetime as the backend "
        "sends them: by them `ttl` is judged. `veneer check-policies --ask` asks the backend where this is absent.",
    )
    expect: ExpectShape = required("What must come of it.")
