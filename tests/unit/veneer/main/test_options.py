import argparse
from collections.abc import Mapping

import pytest

from veneer.core.listen_address import Address, UnixAddress
from veneer.main.options import AdminOff, ServeOptions, add_serve_flags, options_from


def read(*argv: str, environment: Mapping[str, str] | None = None) -> ServeOptions:
    parser = argparse.ArgumentParser()
    add_serve_flags(parser, environment or {})
    return options_from(parser.parse_args(argv))


def test_what_is_not_said_is_left_to_the_policy() -> None:
    options = read()
    assert (options.upstream, options.redis, options.policies, options.admin) == (None, None, None, None)
    assert (options.listen, options.probes) == ((), None)


def test_several_listeners_take_the_place_of_the_environments() -> None:
    environment = {"VENEER_LISTEN": "0.0.0.0:80 unix:/run/a.sock", "VENEER_PROBES": "0.0.0.0:9091"}
    told = read(environment=environment)
    assert told.listen == (Address("0.0.0.0", 80), UnixAddress("/run/a.sock"))
    assert told.probes == Address("0.0.0.0", 9091)
    assert read("--listen", ":81", "--listen", "[::1]:82", environment=environment).listen == (
        Address("127.0.0.1", 81),
        Address("::1", 82),
    )


def test_flags_are_stronger_than_the_environment() -> None:
    environment = {"VENEER_UPSTREAM": "http://env", "VENEER_ADMIN": "off", "REDIS_URL": "redis://env"}
    options = read("--upstream", "http://flag", environment=environment)
    assert (options.upstream, options.admin, options.redis) == ("http://flag", AdminOff.OFF, "redis://env")


def test_the_admin_listener_has_an_address_or_none() -> None:
    assert read("--admin", "[::1]:91").admin == Address("::1", 91)
    assert read("--admin", "off").admin is AdminOff.OFF


@pytest.mark.parametrize(
    "argv",
    [
        ("--admin", "9090"),
        ("--listen", "x"),
        ("--listen", "unix:a.sock"),
        ("--probes", "9"),
        ("--workers", "0"),
        ("--log-format", "xml"),
    ],
)
def test_bad_flags_are_refused(argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(*argv)
    assert "error: argument" in capsys.readouterr().err
