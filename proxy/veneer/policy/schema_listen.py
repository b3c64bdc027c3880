"""The shape of listeners: where clients connect, and how they are known there."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from veneer.policy import spelling
from veneer.policy.shape import Shape, Text, option, required


class PairShape(Shape):
    """A certificate and its key. Files are PEM, with absolute paths, and read again when they change."""

    certificate: Text = required("File of the certificate, with its chain.")
    key: Text | None = option(None, "File of its key, where that is not in the same file.")


class ListenerTlsShape(PairShape):
    """TLS towards clients, 1.2 or 1.3, over which HTTP/1.1 is spoken.

    Connections made from then on get a changed pair; a pair that cannot be used leaves the one from before.
    """

    others: list[PairShape] = option(
        [], "Further pairs, for clients that ask for a name in their certificates (SNI).", max_length=100
    )
    min_version: Literal["1.2", "1.3"] = option("1.2", "The least version of TLS that is spoken.")


class ListenerShape(Shape):
    """One place where clients connect.

    All but `tls` and `proxy_protocol` is read at start only, and so is whether there are these.
    """

    address: Text = required(
        "`HOST:PORT`, or `unix:/path` of a socket; a socket's file is made, and removed at the end."
    )
    mode: Annotated[str, StringConstraints(pattern=spelling.FILE_MODE)] = option(
        "0660",
        "Who may connect to a socket: the mode of its file, in quotes.",
        "Whoever may write to the file is served, and counts as `peer`.",
    )
    tls: ListenerTlsShape | None = option(None, "TLS towards clients.")
    proxy_protocol: list[Text] = option(
        [],
        "Addresses or networks of proxies that begin each connection with a PROXY header, version 1 or 2, which tells "
        "the client's address. Whoever connects from elsewhere is refused, and so is a connection without the header.",
        "A network that holds clients lets them choose their own address, and so escape rate limits.",
        max_length=256,
    )
    peer: Text = option(
        "127.0.0.1",
        "The address of whoever connects through a socket, which has none: by it they are counted, logged and looked "
        "for in `trusted_proxies`. List it there where what connects tells the client in X-Forwarded-For.",
    )
