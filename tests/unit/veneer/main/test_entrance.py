"""What another policy changes for connections made from then on."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.certificates import new_pair
from tests.unit.veneer.server.front_row import refused
from veneer.core.listen_address import Address
from veneer.main.entrance import Entrance
from veneer.policy.listener_tls import CertificatePair, ListenerTls
from veneer.policy.node_settings import ListenerSettings
from veneer.server.limits import ConnectionSettings
from veneer.server.lobby import Lobby
from veneer.server.prelude import ProxyPrelude
from veneer.server.protocol import FrontServer
from veneer.server.sockets import ListenError
from veneer.server.tls import TlsConnection


async def nothing(_request: object) -> None:
    raise AssertionError("nothing is asked here")


def entrance(settings: ListenerSettings) -> Entrance:
    server = FrontServer(nothing, ConnectionSettings(), refused)  # type: ignore[arg-type]  # nobody calls it
    return Entrance(settings, server, Lobby(asyncio.get_running_loop().call_later, 10.0))


async def test_a_certificate_that_cannot_be_used_is_told_at_start_and_leaves_the_one_before_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair = new_pair(tmp_path, "a")
    tls = ListenerTls((CertificatePair(str(pair.certificate), str(pair.key), "1"),))
    settings = ListenerSettings(Address("127.0.0.1", 1), tls=tls)
    gone = replace(settings, tls=ListenerTls((CertificatePair(str(tmp_path / "none"), None, "2"),)))
    with pytest.raises(ListenError, match="cannot be read"):
        entrance(gone)
    found = entrance(settings)
    before = found._context
    assert isinstance(found.connection(), TlsConnection)
    found.take_up(gone)
    assert found._context is before
    assert "keeps its certificate" in caplog.text
    caplog.set_level(logging.INFO)
    other = replace(settings, tls=ListenerTls((CertificatePair(str(pair.certificate), str(pair.key), "3"),)))
    found.take_up(other)
    assert found._context is not before
    after = found._context
    found.take_up(other)
    assert found._context is after, "nothing has changed"


async def test_other_proxies_are_believed_at_once() -> None:
    settings = ListenerSettings(Address("127.0.0.1", 1), proxy_protocol=("10.0.0.0/8",))
    found = entrance(settings)
    assert isinstance(found.connection(), ProxyPrelude)
    asked = ("10.0.0.1", "192.0.2.1", "unix")
    assert [found._trusts(peer) for peer in asked] == [True, False, False]
    found.take_up(replace(settings, proxy_protocol=("192.0.2.0/24",)))
    assert [found._trusts(peer) for peer in asked] == [False, True, False]
    found.take_up(replace(settings, proxy_protocol=()))
    assert [found._trusts(peer) for peer in asked] == [False, True, False], "that it is asked for is read at start"
