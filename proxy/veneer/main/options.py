"""What `veneer serve` was told: flags first, then the environment, then defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from veneer.core.listen_address import Address, ListenAddress, parse_listen_address

DEFAULT_LISTEN = "127.0.0.1:8080"
OFF = "off"


class AdminOff(Enum):
    """No admin listener at all."""

    OFF = OFF


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, what to serve and how to log.

    `upstream`, `admin` and `probes` None mean that the policy says; `listen` is beside what the policy says. Without
    `fastpath` every hit takes the whole way.
    """

    upstream: str | None
    listen: tuple[ListenAddress, ...]
    policies: Path | None
    redis: str | None
    admin: Address | AdminOff | None
    workers: int
    log_format: str
    fastpath: bool = True
    probes: Address | None = None


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _listen(text: str) -> tuple[ListenAddress, ...]:
    """One address, or several with spaces between, as the environment has them."""
    try:
        return tuple(parse_listen_address(one) for one in text.split())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


class _Several(argparse.Action):
    """A flag that may be given several times, and then takes the place of its default."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's shape
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,  # noqa: ARG002 - as above
    ) -> None:
        """Add the addresses."""
        assert isinstance(values, tuple)
        known = getattr(namespace, self.dest)
        setattr(namespace, self.dest, (*(known if isinstance(known, tuple) else ()), *values))


def _admin(text: str) -> Address | AdminOff:
    return AdminOff.OFF if text == OFF else _address(text)


def _workers(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError("workers must be a number from 1 to 256")
    return int(text)


def add_serve_flags(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Declare the flags of `serve`; each default is the environment's word where there is one."""

    def default(name: str, fallback: str | None = None) -> str | None:
        return environment.get(name) or fallback

    parser.add_argument(
        "--upstream",
        metavar="URL",
        default=default("VENEER_UPSTREAM"),
        help="the service behind (default: what the policy says, else http://127.0.0.1:7071)",
    )
    parser.add_argument(
        "--listen", metavar="ADDRESS", type=_listen, action=_Several, default=default("VENEER_LISTEN", ""),
        help="where clients connect, HOST:PORT or unix:/path, beside the policy's `listeners`; may be given several "
        f"times (default {DEFAULT_LISTEN} where there are none)",
    )  # fmt: skip
    parser.add_argument(
        "--policies", metavar="FILE", type=Path, default=default("VENEER_POLICIES"), help="policies.yaml"
    )
    parser.add_argument(
        "--redis", metavar="URL", default=default("VENEER_REDIS", environment.get("REDIS_URL")),
        help="share cache, limits and invalidations through Redis or Valkey",
    )  # fmt: skip
    parser.add_argument(
        "--admin", metavar="HOST:PORT", type=_admin, default=default("VENEER_ADMIN"),
        help='health, metrics and purge (default: what the policy says, else 127.0.0.1:9090; "off" for none)',
    )  # fmt: skip
    parser.add_argument(
        "--probes", metavar="HOST:PORT", type=_address, default=default("VENEER_PROBES"),
        help="health, readiness and metrics alone, without a token (default: what the policy says, else nowhere)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", metavar="N", type=_workers, default=default("VENEER_WORKERS", "1"), help="processes (default 1)"
    )
    parser.add_argument(
        "--log-format", choices=("json", "text"), default=default("VENEER_LOG_FORMAT", "json"), help="default json"
    )


def options_from(arguments: argparse.Namespace) -> ServeOptions:
    """The parsed flags as one typed value."""
    return ServeOptions(
        upstream=arguments.upstream,
        listen=tuple(dict.fromkeys(arguments.listen)),
        policies=arguments.policies,
        redis=arguments.redis or None,
        admin=arguments.admin,
        workers=arguments.workers,
        log_format=arguments.log_format,
        probes=arguments.probes,
        fastpath=environment().get("VENEER_FASTPATH", "on").lower() != OFF,
    )


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ
