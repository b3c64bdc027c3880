"""The service behind: it checks tokens itself, knows nothing of the proxy, and answers each with his own letter."""

from __future__ import annotations

import asyncio
import random
import time

import jwt

from checks.identities.heads import HeadConnection, fields_of
from checks.identities.people import AUDIENCE, ISSUER, SECRETS
from checks.identities.services import Services

NOBODY = "-"
"""What pages are made of for who has no good token."""
LENGTH = 1_500

HOW = {
    "plain": "",
    "fresh": "Cache-Control: max-age=5\r\n",
    "stale": "Cache-Control: max-age=0, stale-while-revalidate=60\r\n",
    "checked": 'Cache-Control: no-cache\r\nETag: "the-same-for-all"\r\n',
    "tagged": "",
    "user": "Cache-Control: max-age=20\r\n",
    "private": "Cache-Control: private, max-age=60\r\n",
    "public": "Cache-Control: max-age=5\r\nVary: Accept-Encoding\r\n",
    "slow": "Cache-Control: max-age=1\r\n",
    "asked": "Cache-Control: max-age=20\r\n",
    "failing": "Cache-Control: max-age=0, stale-if-error=60\r\n",
}
"""Kinds of pages, by the first segment of their paths."""
OF_USERS = frozenset({"user", "private"})

SLOW_S = 0.05
"""How long a slow page takes: others ask for it meanwhile."""
FAILS = 0.5
"""How often a failing page fails."""

Known = tuple[str, str, float]


class Backend(HeadConnection):
    """One connection. `seen` counts the requests of all; `services` know more credentials than those that are read."""

    seen = 0
    services: Services | None = None
    _known: dict[str, Known | None] = {}  # noqa: RUF012 - of all connections

    def asked(self, head: str) -> None:
        Backend.seen += 1
        delay = SLOW_S if " /slow/" in head else 0.0
        asyncio.get_running_loop().call_later(delay, self.write, self._answer(head))

    def _answer(self, head: str) -> bytes:
        start, *lines = head.split("\r\n")
        method, target, _ = start.split(" ")
        fields = fields_of(lines)
        known = self._who(fields.get("authorization", ""))
        if method == "PUT":
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        kind = target.split("/")[1]
        if known is None:
            # As bad as a backend can be: an error page for nobody that wants to be kept by everybody.
            return _framed(
                401 if target.endswith("1") else 200, "Cache-Control: public, s-maxage=60\r\n", NOBODY, method
            )
        if kind == "failing" and random.random() < FAILS:
            return _framed(500, "", NOBODY, method)
        if kind == "checked" and '"the-same-for-all' in fields.get("if-none-match", ""):
            return b'HTTP/1.1 304 Not Modified\r\nETag: "the-same-for-all"\r\n\r\n'
        text = known[0] + known[1] if kind in OF_USERS else known[0]
        return _framed(200, HOW[kind], text, method)

    def _who(self, authorization: str) -> Known | None:
        given = None if self.services is None else self.services.whose(authorization)
        if given is not None:
            return given.tenant, given.user, given.ends
        if authorization not in self._known:
            self._known[authorization] = _checked(authorization)
        known = self._known[authorization]
        return known if known is not None and known[2] > time.time() else None  # noqa: TID251


def _checked(authorization: str) -> Known | None:
    for secret in SECRETS:
        try:
            claims = jwt.decode(
                authorization.removeprefix("Bearer "), secret, ["HS256"], issuer=ISSUER, audience=AUDIENCE,
                options={"verify_exp": False},
            )  # fmt: skip
        except jwt.PyJWTError:
            continue
        return None if int(claims["jti"]) % 2 else (claims["company"], claims["sub"], claims["exp"])
    return None


def _framed(status: int, how: str, text: str, method: str) -> bytes:
    body = (text * LENGTH)[:LENGTH]
    head = f"HTTP/1.1 {status} Said\r\n{how}Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + ("" if method == "HEAD" else body)).encode()
