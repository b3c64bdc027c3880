"""Which listeners there are, by command line and policy."""

from __future__ import annotations

from dataclasses import replace

from veneer.core.listen_address import Address, UnixAddress
from veneer.main.listening import OpenListener, own_url, shown, wanted_listeners
from veneer.policy.listener_tls import ListenerTls
from veneer.policy.load import parse_policy
from veneer.policy.node_settings import ListenerSettings

POLICY = parse_policy(
    'version: 1\nlisteners: [{address: "127.0.0.1:81"}, {address: "unix:/run/a.sock", mode: "0600"}]\n', "p"
)
LISTED = (ListenerSettings(Address("127.0.0.1", 81)), ListenerSettings(UnixAddress("/run/a.sock"), "0600"))


def test_command_line_and_policy_are_served_together() -> None:
    told = (Address("127.0.0.1", 80), UnixAddress("/run/a.sock"))
    assert wanted_listeners((), POLICY) == LISTED
    assert wanted_listeners(told, POLICY) == (ListenerSettings(told[0]), LISTED[1], LISTED[0])


def test_where_nothing_is_said_the_default_is() -> None:
    nothing = parse_policy("version: 1\n", "p")
    assert wanted_listeners((), nothing) == (ListenerSettings(Address("127.0.0.1", 8080)),)


def test_the_proxy_asks_itself_where_there_is_a_port() -> None:
    unix = OpenListener(UnixAddress("/a"), LISTED[1])
    plain = OpenListener(Address("0.0.0.0", 80), LISTED[0])
    secure = OpenListener(Address("::", 443), replace(LISTED[0], tls=ListenerTls(())))
    assert own_url([unix, secure, plain]) == "http://127.0.0.1:80"
    assert own_url([unix, secure]) == "https://[::1]:443"
    assert own_url([unix]) is None
    assert shown(secure.address, secure.settings.scheme) == "https://[::]:443"
    assert [shown(UnixAddress("/a")), shown(Address("::1", 80))] == ["unix:/a", "http://[::1]:80"]
