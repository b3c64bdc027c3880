"""The shape of listeners: where clients connect, and how they are known there."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from veneer.policy import spelling
from veneer.policy.shape import Shape, Text, option, required


class ListenerShape(Shape):
    """One place where clients connect. `address` and `mode` are read at start only."""

    address: Text = required(
        "`HOST:PORT`, or `unix:/path` of a socket; a socket's file is made, and removed at the end."
    )
    mode: Annotated[str, StringConstraints(pattern=spelling.FILE_MODE)] = option(
        "0660",
        "Who may connect to a socket: the mode of its file, in quotes.",
        "Whoever may write to the file is served, and counts as `peer`.",
    )
    peer: Text = option(
        "127.0.0.1",
        "The address of whoever connects through a socket, which has none: by it they are counted, logged and looked "
        "for in `trusted_proxies`. List it there where what connects tells the client in X-Forwarded-For.",
    )
