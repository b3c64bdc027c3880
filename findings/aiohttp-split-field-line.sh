#!/usr/bin/env bash
# aiohttp 3.14.5 without its compiled parser (as on PyPy) answers by how a request was cut into segments.
# A server that allows field lines of 16,000 bytes and request lines of 8,190 is sent a valid Cookie of 12,000 bytes.
# In one segment it is answered; where the segments end within the cookie, what has come of it is held to the bound of
# request lines, and a field line that comes whole in a later segment is held to it as well. The compiled parser
# answers all three.
# Seen:
#   in one piece: 200 OK
#   ends within the cookie: 400 Bad Request
#   ends before the cookie: 400 Bad Request
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check aiohttp==3.14.5 2> "$work/pip" || { cat "$work/pip"; exit 2; }
cd "$work"
AIOHTTP_NO_EXTENSIONS=1 "$work/venv/bin/python" - > seen <<'PYTHON'
import asyncio
import logging

from aiohttp import web

logging.disable()
FIRST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
COOKIE = b"Cookie: c=" + b"x" * 12_000 + b"\r\n\r\n"


async def ok(request):
    return web.Response(text="ok")


async def main():
    runner = web.ServerRunner(web.Server(ok, max_line_size=8_190, max_field_size=16_000))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    request = FIRST + COOKIE
    for told, at in (
        ("in one piece", len(request)),
        ("ends within the cookie", len(request) - 1_000),
        ("ends before the cookie", len(FIRST)),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request[:at])
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(request[at:])
        line = await reader.readline()
        print(f"{told}: {line.split(b' ', 1)[1].decode().strip()}")
        writer.close()
    await runner.cleanup()


asyncio.run(main())
PYTHON
diff seen - <<'SEEN'
in one piece: 200 OK
ends within the cookie: 400 Bad Request
ends before the cookie: 400 Bad Request
SEEN
cat seen
