"""An echo by the websockets package."""

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve


async def echo(socket: ServerConnection) -> None:
    await socket.send(f"hello {socket.request.path}")
    async for message in socket:
        if message == "end":
            await socket.close(4001, "as you wish")
        await socket.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), subprotocols=["chat"]) as server:
        await server.serve_forever()


asyncio.run(main())
