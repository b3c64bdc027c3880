"""The relay as a process of its own: `python -m checks.coherence.relay_process CONTROL_PORT PORT TARGET_PORT`.

A line to the control port is a command: cut, hold, mend, delay SECONDS. The answer is "ok".
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from checks.relay import Relay


async def _main() -> None:
    control_port, port, target_port = (int(text) for text in sys.argv[1:4])
    between = Relay(target_port)
    await between.start(port)

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match (await reader.readline()).decode().split():
            case ["cut"]:
                between.cut()
            case ["hold"]:
                between.hold()
            case ["mend"]:
                between.mend()
            case ["delay", seconds]:
                between.delay_s = float(seconds)
        writer.write(b"ok\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(obey, "127.0.0.1", control_port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main())
