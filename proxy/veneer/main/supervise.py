"""From options to running workers, and from signals to their end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from veneer.loop.clock import SystemClock
from veneer.loop.service_manager import ServiceManager
from veneer.loop.tasks import Tasks
from veneer.main.administration import access_for, listening
from veneer.main.options import AdminOff, ServeOptions, environment
from veneer.main.signals import on_signals
from veneer.observe.observation import Observation, open_observation
from veneer.observe.settings import ObserveSettings
from veneer.policy.model import Policy
from veneer.policy.settings import Overrides
from veneer.policy.watch import PolicySource, watch_file
from veneer.server.listener import Address, ListenError
from veneer.server.scarcity import Scarcity
from veneer.workers.aggregator import AdminAggregator, AggregatorDeps
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.last_good import LastGood
from veneer.workers.supervisor import Supervisor, SupervisorSettings

logger = logging.getLogger(__name__)


def supervise(options: ServeOptions, policy: Policy, overrides: Overrides, observe: ObserveSettings) -> int:
    """Run this same command line in `options.workers` processes; returns the exit status."""
    with open_observation(observe, as_json=options.log_format == "json") as observation:
        try:
            return asyncio.run(_supervise(options, policy, overrides, observation))
        except ListenError as error:
            logger.error("%s", error)  # noqa: TRY400 - the reason is whole without a traceback
            return 1


async def _supervise(options: ServeOptions, policy: Policy, overrides: Overrides, observation: Observation) -> int:
    totals, tasks = CounterTotals(), Tasks()
    Scarcity(SystemClock().monotonic).watch(asyncio.get_running_loop())
    async with AsyncExitStack() as leaving:
        # Only its owner may enter a directory made so: whoever reaches a worker's socket may purge.
        directory = leaving.enter_context(tempfile.TemporaryDirectory(prefix="veneer-"))
        leaving.push_async_callback(tasks.aclose)
        source, copy = PolicySource(policy), Path(directory) / "policies.yaml"
        if options.policies is not None:
            last_good = LastGood(options.policies, copy, overrides)
            source = PolicySource(last_good.load(), last_good.load, last_good.reloaded)
            last_good.keep()
            tasks.start(watch_file(source, options.policies, asyncio.sleep), "watch the policy file")
        orders = SupervisorSettings(
            argv=[sys.executable, "-m", "veneer", *sys.argv[1:]],
            workers=options.workers,
            address=options.listen,
            directory=Path(directory),
            drain_s=policy.timeouts.drain_delay_s + policy.timeouts.drain_s,
            reload=source.reload,
            policies=None if options.policies is None else copy,
        )
        manager = ServiceManager.of(environment(), os.getpid())
        tasks.start(manager.keep_alive(), "give the service manager signs of life")
        supervisor = Supervisor(orders, totals, SystemClock(), tasks, manager)
        on_signals(asyncio.get_running_loop(), supervisor.stop, supervisor.roll)
        address = supervisor.listen()
        if options.admin is not AdminOff.OFF:
            admin = options.admin or Address.parse(policy.admin.listen)
            access = access_for(admin, policy)
            deps = AggregatorDeps(
                access, totals, supervisor.sockets, options.workers, lambda: supervisor.stopping, observation.metrics
            )
            await leaving.enter_async_context(listening(AdminAggregator(deps).application(), admin))
            logger.info("admin on http://%s", admin)
        logger.info("%d workers on http://%s", options.workers, address)
        return await supervisor.run()
