"""How requests of one shape go to the backend of one route."""

from __future__ import annotations

from collections.abc import Iterable

from veneer.core.field_edits import FieldEdits
from veneer.core.fields import Fields
from veneer.core.forwarding import NEVER_FROM_STRANGERS
from veneer.core.messages import RequestHead
from veneer.core.rate import RateLimit
from veneer.fastpath.learning import limit_lines, shared_rate_key
from veneer.fastpath.pattern import Template, Values
from veneer.fastpath.replies import ResponseTemplates
from veneer.fastpath.scan import HeadShape
from veneer.policy.model import Route
from veneer.ports import Upstream


class UpstreamTemplate:
    """What does not change from one request to the next, of one shape, route and client address.

    `fields` are those of the request as the cache sees it, without the values that change: it is only good for what
    does not look at them. `counting` is the rule of the limit where one name does not do.
    """

    __slots__ = (
        "_blank_names",
        "_template",
        "authority",
        "counting",
        "fields",
        "limit",
        "limit_lines",
        "method",
        "read_timeout_s",
        "replies",
        "route",
        "scheme",
        "shape",
        "shared_rate_key",
        "upstream",
    )

    def __init__(
        self,
        shape: HeadShape,
        wanted: RequestHead,
        route: Route,
        upstream: Upstream,
        template: Template,
        replies: ResponseTemplates,
    ) -> None:
        rule = route.rate_limit
        self.shape = shape
        self.route = route
        self.method = wanted.method
        self.authority = wanted.authority
        self.scheme = wanted.scheme
        self._blank_names = frozenset({*shape.changing, "x-request-id"})
        self.fields = with_blank_values(wanted.fields, shape)
        self.upstream = upstream
        self._template = template
        self.read_timeout_s = route.read_timeout_s
        self.limit: RateLimit | None = None if rule is None else rule.limit
        self.limit_lines = b"" if rule is None else limit_lines(rule.limit)
        self.counting = None if rule is None or not (rule.further or rule.identity_names) else rule
        self.shared_rate_key = shared_rate_key(route)
        self.replies = replies

    def head(self, values: Values, request_id: bytes) -> bytes:
        """The head of a request with these values, as it goes to the backend."""
        said = [*values, request_id]
        for place in range(1, len(values)):  # the first is the target, which has nothing to strip
            said[place] = said[place].strip()
        return self._template.filled(said)

    def covers(self, names: Iterable[str]) -> bool:
        """Whether `fields` hold the values of the request fields with these lower-case names."""
        return self._blank_names.isdisjoint(names)

    def wanted(self, path: str, query: str | None) -> RequestHead:
        """The request as the cache sees it, as far as `fields` go."""
        return RequestHead(self.method, path, query, self.authority, self.fields, self.scheme)


def with_blank_values(fields: Fields, shape: HeadShape) -> Fields:
    """The fields with nothing in place of the values that change from request to request."""
    changing = frozenset(shape.changing)
    return Fields([(name, "" if name.lower() in changing else value) for name, value in fields.pairs])


def template_from(
    raw: bytes, target: str, request_id: str, shape: HeadShape, values: Values, changes: FieldEdits
) -> Template | None:
    """What a head that was made for these values has in common with others; None where that is not clear.

    The request ID takes the place behind the values. `changes` are those of the route: a line that it sets is the same
    for all, whatever the client's said.
    """
    if not changes.added.isdisjoint(shape.changing):
        return None
    first, *lines = raw.splitlines(keepends=True)
    start, own, version = first.rpartition(target.encode("latin-1") + b" HTTP/1.1\r\n")
    if not own or version or target.encode("latin-1") != values[0]:
        return None
    template = Template(text=start)
    template.add_value(0)
    template.add(b" HTTP/1.1\r\n")
    # What strangers say of hops is dropped: a line of such a name is the proxy's own.
    places = {name: at for at, name in enumerate(shape.changing, 1) if name not in NEVER_FROM_STRANGERS}
    places["x-request-id"] = len(values)
    for name in changes.names:
        places.pop(name, None)
    said = [*(value.strip() for value in values), request_id.encode("latin-1")]
    for line in lines:
        place = places.get(line.partition(b":")[0].decode("latin-1").lower())
        if place is None:
            template.add(line)
        elif not template.add_line(line, place, said[place]):
            return None
    return template
