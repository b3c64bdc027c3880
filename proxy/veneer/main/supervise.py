"""From options to running workers, and from signals to their end."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from veneer.admin.access import AdminAccess
from veneer.admin.history import History
from veneer.admin.probes import build_probes
from veneer.core.listen_address import Address
from veneer.loop.clock import SystemClock
from veneer.loop.service_manager import ServiceManager
from veneer.loop.tasks import Tasks
from veneer.main.administration import access_for, listening, probes_address, renew_token
from veneer.main.listening import shown, wanted_listeners
from veneer.main.options import AdminOff, ServeOptions, environment
from veneer.main.signals import on_signals
from veneer.observe.observation import Observation, open_observation
from veneer.observe.otlp_metrics import MetricsExport
from veneer.observe.settings import ObserveSettings, ObserveSettingsError
from veneer.policy.model import Policy
from veneer.policy.node_settings import AdminSettings
from veneer.policy.settings import Overrides
from veneer.policy.watch import PolicySource, ReloadOutcome, watch_file
from veneer.server.scarcity import Scarcity
from veneer.server.sockets import ListenError
from veneer.workers.aggregator import AdminAggregator, AggregatorDeps
from veneer.workers.bindings import Binding
from veneer.workers.counter_totals import CounterTotals
from veneer.workers.last_good import LastGood
from veneer.workers.slot import KeptPolicy
from veneer.workers.supervisor import Supervisor, SupervisorSettings

logger = logging.getLogger(__name__)


def supervise(options: ServeOptions, policy: Policy, overrides: Overrides, observe: ObserveSettings) -> int:
    """Run this same command line in `options.workers` processes; returns the exit status."""
    try:
        with open_observation(observe, as_json=options.log_format == "json") as observation:
            return _run(options, policy, overrides, observation)
    except ObserveSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _run(options: ServeOptions, policy: Policy, overrides: Overrides, observation: Observation) -> int:
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
        admin = options.admin or Address.parse(policy.admin.listen)
        access = AdminAccess(None) if admin is AdminOff.OFF else access_for(admin, policy)
        source, copy, kept = PolicySource(policy), Path(directory) / "policies.yaml", None
        if options.policies is not None:
            last_good = LastGood(options.policies, copy, overrides)
            leaving.callback(last_good.close)
            kept = KeptPolicy(copy, last_good.files)
            source = PolicySource(last_good.load(), last_good.load, last_good.reloaded, _renewing(access, policy.admin))
            last_good.keep()
            tasks.start(watch_file(source, options.policies, asyncio.sleep), "watch the policy file")
        wanted = wanted_listeners(options.listen, policy)
        bindings = [Binding(one.address, int(one.mode, 8)) for one in wanted]
        orders = SupervisorSettings(
            argv=[sys.executable, "-m", "veneer", *sys.argv[1:]],
            workers=options.workers,
            bindings=bindings,
            directory=Path(directory),
            drain_s=policy.timeouts.drain_delay_s + policy.timeouts.drain_s,
            reload=source.reload,
            kept=kept,
        )
        manager = ServiceManager.of(environment(), os.getpid())
        tasks.start(manager.keep_alive(), "give the service manager signs of life")
        supervisor = Supervisor(orders, totals, SystemClock(), tasks, manager)
        on_signals(asyncio.get_running_loop(), supervisor.stop, supervisor.roll)
        addresses = supervisor.listen()
        leaving.callback(supervisor.let_go)
        clock = SystemClock()
        history = History(clock.now, clock.monotonic)
        tasks.start(history.run(totals.total, asyncio.sleep), "keep the last hour")
        deps = AggregatorDeps(
            AdminAccess(None),
            totals,
            supervisor.sockets,
            options.workers,
            lambda: supervisor.stopping,
            observation.metrics,
            clock,
            history,
            supervisor.processes,
            supervisor.restarts,
        )
        if admin is not AdminOff.OFF:
            guarded = replace(deps, access=access)
            await leaving.enter_async_context(listening(AdminAggregator(guarded).application(), admin))
            logger.info("admin on http://%s", admin)
        probes = probes_address(options, policy)
        if probes is not None:
            await leaving.enter_async_context(listening(build_probes(AdminAggregator(deps)), probes))
            logger.info("probes and metrics on http://%s", probes)
        places = [shown(address, one.scheme) for address, one in zip(addresses, wanted, strict=True)]
        logger.info("%d workers on %s", options.workers, ", ".join(places))
        return await _run_to_the_end(supervisor, deps, observation.metrics_export, tasks)


async def _run_to_the_end(
    supervisor: Supervisor, deps: AggregatorDeps, export: MetricsExport | None, tasks: Tasks
) -> int:
    """Run the workers, and send the metrics of all where that is wanted: a worker sends none, or they counted twice."""
    if export is None:
        return await supervisor.run()
    gather = AdminAggregator(deps).gather
    tasks.start(export.run(gather, asyncio.sleep), "send metrics by OTLP")
    status = await supervisor.run()
    export.offer(await gather())  # with what the workers left
    return status


def _renewing(access: AdminAccess, before: AdminSettings) -> Callable[[ReloadOutcome], None]:
    """What takes up another token with another policy."""
    return lambda outcome: renew_token(access, before, outcome.policy.admin)
