#!/usr/bin/env bash
# httpx 0.28.1 returns the first member of a gzip body and drops the others without a word.
# RFC 1952 section 2.2: a gzip file is a series of members; what they hold belongs together. curl and requests give all.
# Seen:
#   requests: 'first second'
#   httpx: 'first '
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  httpx==0.28.1 requests==2.34.2 2> "$work/pip" || { cat "$work/pip"; exit 2; }
cd "$work"
"$work/venv/bin/python" - > seen <<'PYTHON'
import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import requests

BODY = gzip.compress(b"first ") + gzip.compress(b"second")


class Origin(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Origin)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
session = requests.Session()
session.trust_env = False
print("requests:", repr(session.get(url).text))
print("httpx:", repr(httpx.get(url, trust_env=False).text))
PYTHON
diff seen - <<'SEEN'
requests: 'first second'
httpx: 'first '
SEEN
cat seen
