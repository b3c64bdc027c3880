"""From the checked shapes of listeners, the admin listener included, to their settings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from veneer.core.address import node_address
from veneer.core.listen_address import Address, UnixAddress, parse_listen_address
from veneer.policy.node_settings import AdminSettings, ListenerSettings
from veneer.policy.places import is_loopback
from veneer.policy.schema_listen import ListenerShape
from veneer.policy.schema_node import AdminShape
from veneer.policy.wrong import Wrong


def listeners_of(shapes: Sequence[ListenerShape]) -> tuple[ListenerSettings, ...]:
    """The settings of those whose address is one."""
    return tuple(one for shape in shapes if (one := _listener(shape)) is not None)


def _listener(shape: ListenerShape) -> ListenerSettings | None:
    try:
        address = parse_listen_address(shape.address)
    except ValueError:
        return None
    return ListenerSettings(address, shape.mode, node_address(shape.peer))


def wrong_listeners(shapes: Sequence[ListenerShape]) -> Iterator[Wrong]:
    """What is wrong with them."""
    seen: list[Address | UnixAddress] = []
    for index, shape in enumerate(shapes):
        try:
            address = parse_listen_address(shape.address)
        except ValueError as error:
            yield Wrong((index, "address"), str(error).replace("'", '"'), 'write "0.0.0.0:8080" or "unix:/run/a.sock"')
            continue
        if address in seen:
            yield Wrong((index, "address"), f'"{address}" is listed twice', "leave one away")
        seen.append(address)
        if isinstance(address, Address):
            for key in sorted({"mode", "peer"} & shape.model_fields_set):
                yield Wrong((index, key), f'"{address}" is no socket in the file system', f"remove `{key}`")
        try:
            ipaddress.ip_address(shape.peer)
        except ValueError:
            yield Wrong((index, "peer"), f'"{shape.peer}" is no IP address', 'write "127.0.0.1"')


def admin_settings(shape: AdminShape) -> AdminSettings:
    """Where the admin listener is, what it asks for, and where probes and metrics are without it."""
    return AdminSettings(listen=shape.listen, token_env=shape.token_env, probes=shape.probes)


def wrong_admin(shape: AdminShape) -> Iterator[Wrong]:
    """What is wrong with the section `admin`."""
    host = _host(shape.listen)
    if host is None:
        yield Wrong(("listen",), f'"{shape.listen}" is not HOST:PORT', 'write "127.0.0.1:9090"')
    elif shape.token_env is None and not is_loopback(host):
        hint = "set `admin.token_env`, or listen on 127.0.0.1"
        yield Wrong(("listen",), f"{host} is not a loopback address, and there is no token", hint)
    if shape.probes is not None and _host(shape.probes) is None:
        yield Wrong(("probes",), f'"{shape.probes}" is not HOST:PORT', 'write "0.0.0.0:9091"')
    elif shape.probes == shape.listen:
        yield Wrong(("probes",), f'"{shape.probes}" is where the admin listener is', "give it a port of its own")


def _host(text: str) -> str | None:
    """The host of HOST:PORT; None where it is none."""
    host, colon, port = text.rpartition(":")
    return host if host and colon and port.isdigit() and int(port) <= 65_535 else None
