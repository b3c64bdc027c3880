"""`veneer serve`: from options to a running node, and from signals to its end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from functools import partial

import uvloop

from veneer.compiling.form import running_form
from veneer.loop.huge_pages import keep_on_huge_pages
from veneer.loop.service_manager import ServiceManager
from veneer.loop.tasks import Tasks
from veneer.loop.tuning import calm_collector, end_with_parent, steady_heap
from veneer.main.node import Node
from veneer.main.options import ServeOptions, environment, options_from
from veneer.main.signals import on_signals
from veneer.main.supervise import supervise
from veneer.observe.observation import Observation, open_observation
from veneer.observe.settings import ObserveSettings, ObserveSettingsError, read_observe_settings
from veneer.policy.load import NO_FILE, load_policy, parse_policy
from veneer.policy.model import Policy
from veneer.policy.problems import PolicyError
from veneer.policy.settings import Overrides, read_environment
from veneer.redis.connect import RedisUrlError
from veneer.server.sockets import ListenError
from veneer.version import running_version
from veneer.workers.last_good import load_kept
from veneer.workers.place import place_of
from veneer.workers.supervisor import KEPT, SERVING

logger = logging.getLogger(__name__)


def serve_command(arguments: argparse.Namespace, _environment: Mapping[str, str]) -> int:
    """Run the proxy as the command line says; returns the exit status."""
    return serve(options_from(arguments))


def serve(options: ServeOptions) -> int:
    """Run the proxy until it is told to stop; returns the exit status."""
    place = place_of(environment())
    try:
        overrides = overrides_from(options)
        policy = (
            load(options, overrides)
            if place is None or place.policies is None
            else load_kept(place.policies, overrides, dict(place.files))
        )
        observe = read_observe_settings(environment())
    except (PolicyError, ObserveSettingsError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.workers > 1 and policy.stores.redis_url is None:
        sys.stderr.write("--workers needs --redis: without it each worker would miss the writes of the others\n")
        return 2
    reload = partial(load, options, overrides)
    if options.workers > 1 and place is None:
        return supervise(options, policy, overrides, observe)
    return run(options, policy, reload, observe)


def overrides_from(options: ServeOptions) -> Overrides:
    """What flags and environment put over the policy file. Raises PolicyError."""
    flags = Overrides(upstream_url=options.upstream, redis_url=options.redis)
    return flags.over(read_environment(environment()))


def load(options: ServeOptions, overrides: Overrides) -> Policy:
    """The policy named by the options, or the default one. Raises PolicyError."""
    if options.policies is None:
        return parse_policy("", NO_FILE, overrides)
    return load_policy(options.policies, overrides)


def run(options: ServeOptions, policy: Policy, reload: partial[Policy], observe: ObserveSettings) -> int:
    """Run one process with logs set up; returns the exit status."""
    try:
        with open_observation(observe, as_json=options.log_format == "json") as observation:
            return _run(options, policy, reload, observation)
    except ObserveSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(options: ServeOptions, policy: Policy, reload: partial[Policy], observation: Observation) -> int:
    try:
        return uvloop.run(_serve(options, policy, reload, observation))
    except (ListenError, RedisUrlError) as error:
        logger.error("%s", error)  # noqa: TRY400 - the reason is whole without a traceback
        return 1


async def _serve(options: ServeOptions, policy: Policy, reload: partial[Policy], observation: Observation) -> int:
    logger.info("veneer %s, %s", running_version(), running_form().value)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    place = place_of(environment())
    if place is not None and not end_with_parent(place.supervisor):
        logger.error("process %d, which started this worker, is gone: the worker ends too", place.supervisor)
        return 1
    # A worker's supervisor is what the manager has started, and speaks to it.
    manager = ServiceManager.of(environment(), os.getpid()) if place is None else ServiceManager()
    tasks, alive = Tasks(), Tasks()
    alive.start(manager.keep_alive(), "give the service manager signs of life")
    try:
        async with Node(options, policy, reload, observation, place) as node:
            calm_collector()
            steady_heap()
            tasks.start(keep_on_huge_pages(asyncio.sleep), "keep the heap on huge pages")

            def hang_up() -> None:
                alive.start(_take_up(node, manager), "reload on SIGHUP")

            on_signals(loop, stop.set, hang_up)
            manager.ready(SERVING)
            await stop.wait()
            logger.info("stopping")
            manager.stopping()
            await node.linger()
            await tasks.aclose()
    finally:
        await alive.aclose()
    return 0


async def _take_up(node: Node, manager: ServiceManager) -> None:
    manager.reloading()
    outcome = await node.reload()
    manager.ready(SERVING if outcome.error is None else KEPT)
