"""The shape of `cache:` in policies.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from veneer.policy.schema_identity import ShareList
from veneer.policy.shape import Duration, FieldName, Lifetimes, Name, OneOrMore, Shape, Size, Text, option, section


class QueryKeyShape(Shape):
    """Which query parameters enter the cache key."""

    only: list[Text] | None = option(
        None,
        "Only these parameters enter the key, sorted by name.",
        "A parameter that changes the response but is missing here mixes up responses.",
        max_length=256,
    )
    except_: list[Text] = Field(
        default_factory=list,
        alias="except",
        description="All but these parameters enter the key.",
        json_schema_extra={"risk": "As for `only`."},
        max_length=256,
    )
    sort: bool = option(
        False,
        "Sort the parameters by name, so that their order does not matter.",
        "Wrong for a backend to which the order of different parameters matters.",
    )
    defaults: dict[Text, str] = option(
        {},
        'Parameters that mean, with this value, the same as without them, as in `{page: "1"}`: one key for both.',
        "Both get the response that was asked for first, with the links and addresses that are in it.",
        max_length=64,
    )


class KeyShape(Shape):
    """What enters the cache key beside method, authority and path."""

    query: QueryKeyShape = section(QueryKeyShape, "The query; the whole of it by default.")
    headers: list[FieldName] = option([], "Request fields that enter the key, normalised.", max_length=32)
    show: bool = option(
        False,
        "Show the key to clients in Cache-Status (RFC 9211).",
        "Whoever asks learns how responses are told apart.",
    )


class HeuristicShape(Shape):
    """Freshness where neither origin nor policy gives any (RFC 9111 section 4.2.2)."""

    fraction: float = option(0.1, "Share of the time since Last-Modified; 0 for none.", ge=0, le=1)
    max: Duration = option(86_400.0, "Upper bound of a heuristic lifetime.", ge=0)


class CompatShape(Shape):
    """Deviations from the standards, each by name. All off by default."""

    language_from_content: bool = option(
        False,
        "Reuse a response that varies on Accept-Language when its Content-Language is the request's first choice.",
        "RFC 9111 section 4.1 forbids it: the origin may have had other reasons to answer differently.",
    )
    trust_short_partial: bool = option(
        False,
        "Believe the Content-Range of a 206 whose body is shorter than it says, and answer ranges from it.",
        "The message is corrupt: clients may get bytes from the wrong place.",
    )
    post_as_query: bool = option(
        False,
        "POST changes nothing on this route and is answered as QUERY (RFC 10008) would be: from the store where the "
        "same content was asked for, keyed by a digest of it. Content over 64 KB passes through.",
        "RFC 9110 section 9.2.1 counts POST as unsafe: a POST that does change something would not be carried out "
        "when its answer is stored, and invalidates nothing.",
    )


class CookiesShape(Shape):
    """What cookies of requests mean: names, as in `session`, or beginnings, as in `_ga*`; `*` is every cookie.

    The whole name counts before a beginning, a longer beginning before a shorter one; of two alike, `pass` before `key`
    before `ignore`.
    """

    pass_: list[Text] = Field(
        default_factory=list,
        alias="pass",
        description="A request with one of these passes the cache: not looked up, not stored, not waiting for others.",
        max_length=64,
    )
    key: list[Text] = option(
        [],
        "These enter the cache key, name and value; behind a comma too, with what stands between the semicolons.",
        "Each value that a cookie takes is another stored response.",
        max_length=64,
    )
    ignore: list[Text] = option(
        [],
        "These mean nothing to the backend, as those of analytics: they are taken out of requests that the cache may "
        "answer, so that the backend answers all alike. Others, as POST, keep them.",
        "A backend that needs such a cookie to know its user answers as to a stranger.",
        max_length=64,
    )


class CacheShape(Shape):
    """How responses are cached."""

    share: ShareList = option(
        ["everyone"],
        "Among whom responses are shared. `everyone`: as HTTP has it. `nobody`: not at all, as `enabled: false`. "
        "`identity.NAME`, or a list of such: among requests that prove the same values of `identities`; what proves "
        "nothing, or has another credential beside the proof (a cookie that `cookies.ignore` does not name), goes to "
        "the backend and is not stored. `private` and `no-store` still win.",
        "Where the backend's answer depends on more than these values, as on the user or a role, name that too.",
        min_length=1,
        max_length=8,
    )
    enabled: bool = option(True, "`false` neither stores nor answers from the store.")
    ttl: Lifetimes | None = option(
        None,
        "Freshness lifetime where the origin gives none, for statuses 200, 203, 204, 206, 300, 301, 308 and 410; or by "
        "status, as in `{404: 10s, 3xx: 1h, default: 5m}`, where the most exact counts. With `origin: respect` it does "
        "nothing where a response has s-maxage, max-age or Expires. Under `defaults` it holds for listed routes only. "
        "It is for requests without credentials: with Authorization or a Cookie of which `cookies` says nothing, a "
        "response is shared only where the origin itself says that it is fresh or public.",
        "Responses change unseen until the lifetime ends or an invalidation names them. Where the backend chooses by "
        "Accept or another field and sends no Vary, all get what is stored until that field is in `key.headers`: the "
        "log warns once where types, languages or codings mix on a route.",
    )
    origin: Literal["respect", "override"] = option(
        "respect",
        "Whose lifetime counts when both speak. With `override` it is `ttl`; no-store and private still win.",
        "`override` ignores max-age=0 and no-cache of an origin that may mean it.",
    )
    stale_while_revalidate: Duration | None = option(
        None, "Serve stale this long while asking again in the background (RFC 5861); the origin's word when absent."
    )
    stale_if_error: Duration | None = option(
        None, "Serve stale this long when the backend fails (RFC 5861); the origin's word when absent."
    )
    stale_on_overload: Duration | None = option(
        None,
        "Serve stale this long rather than wait while the backend has as much to do as it can "
        "(`upstreams.NAME.concurrency`); as `stale_if_error`, the origin's word included, when absent. Only what has a "
        "stated freshness, and does not forbid it (must-revalidate and the like). `0` waits first.",
    )
    stale_on_disconnect: bool = option(True, "Serve stale when the backend cannot be reached (RFC 9111 section 4.2.4).")
    obey_request_no_cache: bool = option(
        True,
        "Clients may demand a fresh answer (no-cache, max-age, min-fresh).",
        "`false` leaves clients no way to force a reload; it shields the backend from those who do.",
    )
    set_cookie: Literal["explicit", "refuse", "strip", "store"] = option(
        "refuse",
        "Responses that set cookies: store if the origin gave explicit freshness, never, without the field, or always. "
        'One whose Cache-Control says `no-cache="Set-Cookie"` is stored without the field in any case.',
        "`explicit` and `store` hand one client's cookie to others. `strip` gives it to the client that caused the "
        "fetch alone: a page with a token that belongs to the cookie is of no use to others.",
    )
    cookies: CookiesShape = section(CookiesShape, "What cookies of requests mean.")
    share_authorized: bool = option(
        False,
        "Store answers to requests with Authorization as if it were not there.",
        "Private answers reach other users unless the backend marks every one of them. Prefer `public` or `s-maxage`.",
    )
    targeted_fields: list[FieldName] = option(
        ["CDN-Cache-Control"],
        "Targeted cache-control fields (RFC 9213) this cache obeys, first present wins. Add your own name first, "
        "as in `[Veneer-Cache-Control, CDN-Cache-Control]`.",
        max_length=8,
    )
    heuristic: HeuristicShape = section(HeuristicShape, "Heuristic freshness.")
    max_body: Size = option(16 * 1024**2, "Larger responses are passed on but not stored.", ge=0)
    keep_stale: Duration = option(
        86_400.0,
        "How long a stale response stays stored, to be validated or to stand in for a backend that is away.",
        ge=0,
    )
    preflight: Duration | None = option(
        None,
        "Keep answers to CORS preflight this long, by origin, method and headers asked for; forwarded when absent.",
        "A change of the backend's CORS rules goes unseen that long.",
    )
    client_lifetime: Literal["age", "remaining"] = option(
        "age",
        "What clients are told of the lifetime of stored responses: the whole, with Age beside it, or what remains of "
        "it, with a new Date and no Age, as an origin would say it.",
        "`remaining` hides from clients how old a response is; hits take the normal way, not the quickest.",
    )
    key: KeyShape = section(KeyShape, "What enters the cache key.")
    tags: list[Text] = option([], "Tags of the responses, beside those the origin sends.", max_length=64)
    changes: Annotated[list[Name], OneOrMore] = option(
        [],
        "Sources under `changes:` by which responses live: while one of them is late or lost, its `on_loss` says what "
        "answers. Tags that a source names invalidate on all routes, named here or not.",
        max_length=8,
    )
    compat: CompatShape = section(CompatShape, "Named deviations from the standards.")
