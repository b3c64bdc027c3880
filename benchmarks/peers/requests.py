"""The requests that clients send, as bytes. MARK stands for a number that is another one in each request."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import jwt
import numpy as np

MARK = "\1"
BROWSER = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept: application/json, text/plain, */*",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Referer: http://bench.example/dashboard/overview",
    'Sec-Ch-Ua: "Chromium";v="142", "Not_A Brand";v="99"',
    "Sec-Ch-Ua-Mobile: ?0",
    'Sec-Ch-Ua-Platform: "Linux"',
    "Sec-Fetch-Dest: empty",
    "Sec-Fetch-Mode: cors",
    "Sec-Fetch-Site: same-origin",
    "Connection: keep-alive",
)
COOKIE = "Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890; session="
SECRET = "a-secret-of-the-benchmark-of-at-least-32-bytes"
"""By which the issuer signs its tokens."""
WRITTEN = '{"name":"Somebody Else","active":true,"tags":["a","b","c"]}'


def request(path: str, *fields: str, method: str = "GET", body: str = "") -> bytes:
    """One request; with a body also its type and length."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench.example", *fields]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode("latin-1")


def browser(path: str) -> bytes:
    """What a browser sends, the same each time."""
    return request(path, *BROWSER, COOKIE + "0123456789abcdef")


def changing(path: str) -> bytes:
    """What a browser behind a tracing gateway sends: another request ID and another session each time."""
    return request(path, *BROWSER, COOKIE + MARK, f"X-Request-ID: {MARK}-bench")


def bearers(path: str, *, users: int = 100, tenants: int = 10) -> tuple[bytes, ...]:
    """The same asked for by users of tenants, each with a token of its own."""
    tokens = [
        jwt.encode({"sub": f"user{user}", "tenant": user % tenants, "exp": 4_000_000_000}, SECRET, algorithm="HS256")
        for user in range(users)
    ]
    return tuple(request(path, f"Authorization: Bearer {token}") for token in tokens)


def zipf(keys: int, draws: int, seed: int) -> Sequence[int]:
    """Numbers from 0 to `keys` - 1, the n-th of them 1/n as often as the first."""
    weights = 1 / np.arange(1, keys + 1)
    drawn: Sequence[int] = (
        np.random.default_rng(seed).choice(keys, size=draws, p=weights / weights.sum()).astype(int).tolist()
    )
    return drawn


def mix(*fields: str, keys: int = 10_000, draws: int = 65_536, seed: int = 7) -> tuple[bytes, ...]:
    """95 % reads and 5 % writes of the same keys, each request with these fields."""
    random = Random(seed)
    return tuple(
        request(f"/small/key{key}", *fields, method="PUT", body=WRITTEN)
        if random.random() < 0.05
        else request(f"/small/key{key}", *fields)
        for key in zipf(keys, draws, seed)
    )


def each(keys: int, *fields: str, place: str = "key") -> tuple[bytes, ...]:
    """One read of each of so many keys, each with these fields."""
    return tuple(request(f"/small/{place}{key}", *fields) for key in range(keys))
