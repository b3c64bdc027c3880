"""What `veneer serve` was told: flags first, then the environment, then defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from veneer.server.listener import Address

DEFAULT_LISTEN = "127.0.0.1:8080"
OFF = "off"


class AdminOff(Enum):
    """No admin listener at all."""

    OFF = OFF


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Where to listen, what to serve and how to log.

    `upstream` and `admin` None mean that the policy says. Without `fastpath` every hit takes the whole way.
    """

    upstream: str | None
    listen: Address
    policies: Path | None
    redis: str | None
    admin: Address | AdminOff | None
    workers: int
    log_format: str
    fastpath: bool = True


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


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

    parser.add_argument("--upstream", metavar="URL", default=default("VENEER_UPSTREAM"), help="the service behind")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", type=_address, default=default("VENEER_LISTEN", DEFAULT_LISTEN),
        help=f"where clients connect (default {DEFAULT_LISTEN})",
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
        "--workers", metavar="N", type=_workers, default=default("VENEER_WORKERS", "1"), help="processes (default 1)"
    )
    parser.add_argument(
        "--log-format", choices=("json", "text"), default=default("VENEER_LOG_FORMAT", "json"), help="default json"
    )


def options_from(arguments: argparse.Namespace) -> ServeOptions:
    """The parsed flags as one typed value."""
    return ServeOptions(
        upstream=arguments.upstream,
        listen=arguments.listen,
        policies=arguments.policies,
        redis=arguments.redis or None,
        admin=arguments.admin,
        workers=arguments.workers,
        log_format=arguments.log_format,
        fastpath=environment().get("VENEER_FASTPATH", "on").lower() != OFF,
    )


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ
