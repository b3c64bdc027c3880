#!/usr/bin/env bash
# Starlette 1.10.0 and Django 5.2.19 answer in gzip although the client refuses it with `gzip;q=0`.
# RFC 9110 section 12.5.3: a weight of 0 means not acceptable; identity is. A cache that stores the answer as the variant
# for clients without gzip hands them what they cannot read.
# Seen:
#   starlette: Content-Encoding gzip
#   django: Content-Encoding gzip
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  starlette==1.10.0 httpx==0.28.1 django==5.2.19 2> "$work/pip" || { cat "$work/pip"; exit 2; }
cd "$work"
"$work/venv/bin/python" -W ignore - > seen <<'PYTHON'
from django.conf import settings

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"])

import django
import httpx
from django.http import HttpResponse
from django.test import Client
from django.urls import path
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

TEXT = "the same words again and again " * 100
urlpatterns = [path("", lambda request: HttpResponse(TEXT))]
django.setup()
app = Starlette(routes=[Route("/", lambda request: PlainTextResponse(TEXT))], middleware=[Middleware(GZipMiddleware)])


async def by_starlette():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return (await client.get("/", headers={"Accept-Encoding": "gzip;q=0, identity"})).headers


import asyncio

refused = {"HTTP_ACCEPT_ENCODING": "gzip;q=0, identity"}
print("starlette: Content-Encoding", asyncio.run(by_starlette()).get("content-encoding"))
print("django: Content-Encoding", Client().get("/", **refused).headers.get("Content-Encoding"))
PYTHON
diff seen - <<'SEEN'
starlette: Content-Encoding gzip
django: Content-Encoding gzip
SEEN
cat seen
