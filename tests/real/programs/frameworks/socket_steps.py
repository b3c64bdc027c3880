"""The clients of websockets and aiohttp: texts, bytes, a large message, a ping, a closing code. Prints JSON."""

import asyncio
import json
import sys

import aiohttp
from websockets.asyncio.client import connect

URL = sys.argv[1].replace("http", "ws", 1)
SAID: list[str | bytes] = ["one", bytes(70_000), "x" * 900_000, "end"]


async def by_websockets(path: str) -> list[object]:
    async with connect(URL + path, subprotocols=["chat"], proxy=None) as socket:
        heard: list[object] = [socket.subprotocol, await socket.recv()]
        await (await socket.ping())
        for message in SAID[:-1]:
            await socket.send(message)
            back = await socket.recv()
            heard.append([back == message, len(back)])
        await socket.send(SAID[-1])
        await socket.wait_closed()
        return [*heard, socket.close_code, socket.close_reason]


async def by_aiohttp(path: str) -> list[object]:
    async with aiohttp.ClientSession() as session, session.ws_connect(URL + path, protocols=["chat"]) as socket:
        heard: list[object] = [socket.protocol, await socket.receive_str()]
        for message in SAID[:-1]:
            await (socket.send_str(message) if isinstance(message, str) else socket.send_bytes(message))
            back = await socket.receive()
            heard.append([back.data == message, len(back.data)])
        await socket.send_str("end")
        await socket.receive()
        return [*heard, socket.close_code]


async def main() -> None:
    seen = [await by_websockets("/a?b=c"), await by_aiohttp("/a?b=c")]
    many = await asyncio.gather(*(by_websockets(f"/{number}") for number in range(10)))
    print(json.dumps([seen, many]))


asyncio.run(main())
