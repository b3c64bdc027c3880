"""`veneer serve`: from options to a running node, and from signals to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from functools import partial

import uvloop

from proxy.app.node import Dropped, Node
from proxy.app.observe.lines import JsonMessages, TextMessages, json_renderer, text_renderer
from proxy.app.observe.observer import Observer
from proxy.app.observe.writer import LineWriter, MessageHandler
from proxy.app.options import ServeOptions, environment
from proxy.app.server.listener import ListenError
from proxy.app.supervisor import supervise, worker_number
from proxy.pipeline.exchange import ExchangeRecord
from proxy.policy.load import load_policy, parse_policy
from proxy.policy.model import Policy
from proxy.policy.problems import PolicyError
from proxy.policy.settings import Overrides, read_environment
from proxy.stores.connect import RedisUrlError

STDOUT, STDERR = 1, 2
logger = logging.getLogger(__name__)


def serve(options: ServeOptions) -> int:
    """Run the proxy until it is told to stop; returns the exit status."""
    try:
        overrides = overrides_from(options)
        policy = load(options, overrides)
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.workers > 1 and policy.stores.redis_url is None:
        sys.stderr.write("--workers needs --redis: without it each worker would miss the writes of the others\n")
        return 2
    if options.workers > 1 and worker_number() is None:
        return supervise(options.workers)
    return run(options, policy, partial(load, options, overrides))


def overrides_from(options: ServeOptions) -> Overrides:
    """What flags and environment put over the policy file. Raises PolicyError."""
    flags = Overrides(upstream_url=options.upstream, redis_url=options.redis)
    return flags.over(read_environment(environment()))


def load(options: ServeOptions, overrides: Overrides) -> Policy:
    """The policy named by the options, or the default one. Raises PolicyError."""
    if options.policies is None:
        return parse_policy("", "no policy file", overrides)
    return load_policy(options.policies, overrides)


def run(options: ServeOptions, policy: Policy, reload: partial[Policy]) -> int:
    """Run one process with logs set up; returns the exit status."""
    as_json = options.log_format == "json"
    messages: LineWriter[bytes] = LineWriter(STDERR, bytes, name="messages")
    lines: LineWriter[ExchangeRecord] = LineWriter(STDOUT, json_renderer() if as_json else text_renderer())
    handler = MessageHandler(messages, JsonMessages() if as_json else TextMessages())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)

    def dropped() -> dict[str, int]:
        return {"requests": lines.dropped, "messages": messages.dropped}

    try:
        return uvloop.run(_serve(options, policy, reload, Observer(lines), dropped))
    except (ListenError, RedisUrlError) as error:
        logger.error("%s", error)  # noqa: TRY400 - the reason is whole without a traceback
        return 1
    finally:
        lines.close()
        messages.close()


async def _serve(
    options: ServeOptions, policy: Policy, reload: partial[Policy], observer: Observer, dropped: Dropped
) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Node(options, policy, reload, observer, dropped) as node:
        loop.add_signal_handler(signal.SIGHUP, node.hang_up)
        await stop.wait()
        logger.info("stopping")
    return 0
