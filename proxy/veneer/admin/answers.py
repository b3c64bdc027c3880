"""Answers of the admin listener."""

from __future__ import annotations

import msgspec
from aiohttp import web

from veneer.ports import Receipt


def json_answer(value: msgspec.Struct | Receipt, status: int = 200) -> web.Response:
    """A value as JSON that nobody stores."""
    body = msgspec.json.encode(value) + b"\n"
    return web.Response(
        body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def only_json(request: web.Request) -> None:
    """Raises HTTPUnsupportedMediaType for what a web page could send here.

    It cannot send this type to another origin without asking first, and the answer is no.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send it as application/json")
