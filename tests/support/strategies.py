"""Hypothesis strategies for messages, biased towards what caches care about."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.exchanges import T
from veneer.core.dates import format_date
from veneer.core.fields import Fields, Pair

latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=12)

seconds = st.one_of(st.integers(0, 100), st.sampled_from([0, 1, 2**31 - 1, 2**31, 2**40]))

dates = st.one_of(
    st.integers(-5000, 5000).map(lambda offset: format_date(T + offset)),
    st.sampled_from(["0", "", "foo", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]),
)

_names = st.sampled_from(
    ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "min-fresh", "max-stale", "x"]
)
_flags = st.sampled_from(
    [
        "no-cache",
        "no-store",
        "private",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "no-transform",
        "immutable",
        "only-if-cached",
        'no-cache="set-cookie, b"',
        'private="a"',
        'x="no-store, max-age=9"',
    ]
)
directive = st.one_of(
    _flags,
    st.tuples(_names, st.one_of(seconds.map(str), seconds.map(lambda n: f'"{n}"'), latin)).map("=".join),
    latin,
)
cache_control = st.lists(directive, max_size=4).map(", ".join)

etags = st.sampled_from(['"a"', '"b"', 'W/"a"', '"a,b"', "bare", ""])
varies = st.sampled_from(["Foo", "foo, Bar", "Accept-Language", "accept-encoding", "*", "", "Foo, *"])

response_pair: st.SearchStrategy[Pair] = st.one_of(
    st.tuples(st.sampled_from(["Cache-Control", "cache-control", "CDN-Cache-Control"]), cache_control),
    st.tuples(st.sampled_from(["Date", "Expires", "Last-Modified"]), dates),
    st.tuples(st.just("Age"), st.one_of(seconds.map(str), latin)),
    st.tuples(st.just("ETag"), etags),
    st.tuples(st.just("Vary"), varies),
    st.tuples(st.sampled_from(["Set-Cookie", "Content-Language", "Connection", "A", "Content-Range"]), latin),
)
response_fields: st.SearchStrategy[Fields] = st.lists(response_pair, max_size=6).map(Fields)

request_pair: st.SearchStrategy[Pair] = st.one_of(
    st.tuples(st.just("Cache-Control"), cache_control),
    st.tuples(st.sampled_from(["Foo", "Bar"]), st.sampled_from(["", "1", "1, 2", "2"])),
    st.tuples(st.just("Accept-Language"), st.sampled_from(["en, de", "de", "de,EN", "fr;q=0.5, de;q=0.1"])),
    st.tuples(
        st.just("Accept-Encoding"), st.sampled_from(["gzip", "br, gzip", "gzip, deflate, br", "*", "identity;q=0"])
    ),
    st.tuples(st.just("If-None-Match"), st.sampled_from(['"a"', 'W/"a"', "*", '"b", "a"', "bare"])),
    st.tuples(st.just("If-Modified-Since"), dates),
    st.tuples(st.just("Range"), st.sampled_from(["bytes=0-3", "bytes=-2", "bytes=4-", "bytes=0-0,5-6", "x"])),
    st.tuples(st.just("Authorization"), st.just("Bearer x")),
)
request_fields: st.SearchStrategy[Fields] = st.lists(request_pair, max_size=4).map(Fields)

statuses = st.sampled_from([200, 200, 200, 203, 204, 206, 301, 302, 404, 410, 500, 503, 599])
