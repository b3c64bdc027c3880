"""The admin listener: who may use it, what it looks at, and its start and stop."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from redis.exceptions import RedisError

from veneer.admin.access import AdminAccess, AdminAccessError
from veneer.admin.deps import Check
from veneer.admin.hurried import HEAD_S, IDLE_S, Hurried
from veneer.admin.hurried import logger as connection_logger
from veneer.core.fields import Fields
from veneer.core.listen_address import Address
from veneer.core.messages import RequestHead
from veneer.main.backends import Backends
from veneer.main.options import ServeOptions
from veneer.main.shared import StoreSet
from veneer.policy.model import Policy
from veneer.policy.node_settings import AdminSettings
from veneer.ports import LeaseState
from veneer.redis.troubles import trouble_of
from veneer.server.sockets import ListenError
from veneer.stores.redis_log import RedisLog

DRAIN_S = 1.0

logger = logging.getLogger(__name__)

PROBE = "veneer:health"
"""A key that is written to find out whether that can be done; it expires."""


def access_for(address: Address, policy: Policy) -> AdminAccess:
    """Who may use the listener on `address`. Raises ListenError where strangers could purge."""
    variable = policy.admin.token_env
    token = policy.admin.token
    if token is None and variable is not None:
        token = os.environ.get(variable) or None
    if variable is not None and token is None:
        msg = f"admin.token_env names {variable}, which is not set: give it a value, or remove admin.token_env"
        raise ListenError(msg)
    try:
        return AdminAccess.for_listener(address.host, token)
    except AdminAccessError as error:
        raise ListenError(str(error)) from error


def renew_token(access: AdminAccess, before: AdminSettings, now: AdminSettings) -> None:
    """Ask for the token that another policy has from its file. What else differs is read at start only.

    Where the file cannot be read or is empty, there is no other policy, and the token from before is asked for.
    """
    if access.token is None or now.token is None or before != now:
        return
    if access.token != now.token:
        access.token = now.token
        logger.info("the admin listener asks for another token from now on")


def probes_address(options: ServeOptions, policy: Policy) -> Address | None:
    """Where probes and metrics are without a token; None for nowhere."""
    if options.probes is not None:
        return options.probes
    return None if policy.admin.probes is None else Address.parse(policy.admin.probes)


def checks_of(shared: StoreSet, backends: Backends, policy: Callable[[], Policy]) -> Callable[[], Mapping[str, Check]]:
    """What the detailed health view asks: Redis where there is one, and each backend."""

    async def redis() -> str:
        """Whether Redis answers, does what is needed, and lets this node hear the log."""
        client, log = shared.stores.redis, shared.stores.log
        assert client is not None
        try:
            await client.set(PROBE, "1", px=1_000)
        except RedisError as error:
            msg = f"{trouble_of(error).value}: {error}"
            raise ConnectionError(msg) from error
        if isinstance(log, RedisLog) and log.lease_state() is LeaseState.EXPIRED:
            why = log.trouble
            msg = f"the log is out of use: Redis {'has not been heard yet' if why is None else why.value}"
            raise ConnectionError(msg)
        return "answers and takes writes"

    def backend(name: str) -> Check:
        async def check() -> str:
            settings = policy().upstreams[name]
            path = settings.health.path if settings.health is not None else "/"
            response = await backends[name].look(RequestHead("GET", path, None, "", Fields()))
            status = response.head.status
            await response.aclose()
            return f"answered {status}"

        return check

    def checks() -> Mapping[str, Check]:
        found: dict[str, Check] = {f"upstream:{name}": backend(name) for name in backends}
        if shared.stores.redis is not None:
            found["redis"] = redis
        return found

    return checks


@asynccontextmanager
async def listening(application: web.Application, address: Address, head_s: float = HEAD_S) -> AsyncIterator[None]:
    """Serve an admin application on `address` for as long as the block runs. Raises ListenError."""
    runner = web.AppRunner(
        application,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=DRAIN_S,
        keepalive_timeout=IDLE_S,
        logger=connection_logger,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    try:
        listener = await asyncio.get_running_loop().create_server(
            lambda: Hurried(server(), head_s), address.host, address.port
        )
    except OSError as error:
        await runner.cleanup()
        message = f"cannot listen on {address} (admin or probes): {error.strerror or error}"
        raise ListenError(message) from error
    try:
        yield
    finally:
        listener.close()
        await runner.cleanup()
