"""The command line of the backend."""

import argparse
import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Sequence

import uvloop
from aiohttp import web

from etter.app import make_app, make_parts
from etter.observe.logs import json_logging
from etter.options import add_settings_options, settings_from
from etter.settings import Settings, SettingsError

log = logging.getLogger("etter")
_YOUNG_OBJECTS = 20_000
_BACKLOG = 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = settings_from(options)
        own_secret = settings.token_secret is settings.etter_token_secret
        host, port = _address(options.listen)
    except SettingsError as error:
        sys.stderr.write(f"etter: {error}\n")
        return 2
    with json_logging(settings.log_level):
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(settings, host, port, own_secret=own_secret))
        except SettingsError as error:
            log.critical("settings cannot work", extra={"problem": str(error)})
            return 2
        except OSError as error:
            log.critical("cannot listen", extra={"address": options.listen, "problem": str(error)})
            return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="etter", description="The Etter backend.")
    serve = parser.add_subparsers(dest="command", required=True).add_parser("serve", help="serve the API")
    serve.add_argument("--listen", default="127.0.0.1:7071", metavar="HOST:PORT")
    add_settings_options(serve)
    return parser


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        msg = f"--listen {text}: expected HOST:PORT, like 127.0.0.1:7071"
        raise SettingsError(msg)
    return host.strip("[]"), int(port)


def _calm_collector() -> None:
    """Take what lives as long as the process out of the cycle collector's sight, and call it less often.

    A page of rows is hundreds of objects and no cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)


async def _serve(settings: Settings, host: str, port: int, *, own_secret: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(make_app(make_parts(settings)), access_log=None, shutdown_timeout=10)
    await runner.setup()
    try:
        # A proxy opens its connections all at once; what does not fit here is lost and tried again seconds later.
        site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
        await site.start()
        _calm_collector()
        log.info("listening", extra={"host": host, "port": runner.addresses[0][1]})
        if not own_secret:
            log.warning("development tokens are accepted: anybody can make them")
        await stop.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
