#!/usr/bin/env bash
# hishel 2.0.0, CacheControl 0.14.4 and requests-cache 1.3.3 do not count the Age of a response.
# A shared cache hands out a response that is 55 s old with `Cache-Control: max-age=60` and `Age: 55`. Five seconds are
# left (RFC 9111 section 4.2.3), so six seconds later a cache has to ask again. These three answer from what they kept.
# Seen:
#   hishel: 1 request(s) reached the shared cache; right are 2
#   CacheControl: 1 request(s) reached the shared cache; right are 2
#   requests-cache: 1 request(s) reached the shared cache; right are 2
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  'hishel[httpx,requests]==2.0.0' CacheControl==0.14.4 requests-cache==1.3.3 requests==2.34.2 2> "$work/pip" || { cat "$work/pip"; exit 2; }
cd "$work"
"$work/venv/bin/python" - > seen <<'PYTHON'
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cachecontrol
import hishel.requests
import requests
import requests_cache

asked = []


class Shared(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(self.path)
        self.send_response(200)
        for name, value in (("Cache-Control", "max-age=60"), ("Age", "55"), ("Content-Length", "2")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Shared)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"


def by_hishel():
    session = requests.Session()
    session.mount("http://", hishel.requests.CacheAdapter())
    return session


sessions = {
    "hishel": by_hishel(),
    "CacheControl": cachecontrol.CacheControl(requests.Session()),
    "requests-cache": requests_cache.CachedSession("kept", backend="memory", cache_control=True),
}
for name, session in sessions.items():
    session.trust_env = False
    session.get(f"{url}/{name}")
time.sleep(6)
for name, session in sessions.items():
    session.get(f"{url}/{name}")
    print(f"{name}: {asked.count(f'/{name}')} request(s) reached the shared cache; right are 2")
PYTHON
diff seen - <<'SEEN'
hishel: 1 request(s) reached the shared cache; right are 2
CacheControl: 1 request(s) reached the shared cache; right are 2
requests-cache: 1 request(s) reached the shared cache; right are 2
SEEN
cat seen
