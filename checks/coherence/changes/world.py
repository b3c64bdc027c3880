"""The processes under test: PostgreSQL, Redis, the backend that reads its registers there, and two nodes."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2
import redis

from checks.coherence.changes.database import Database
from checks.coherence.world import nodes_on, start_nodes, stop_nodes
from devstack.postgres import PostgresServer
from devstack.process import Launch, ManagedProcess, StartError, free_ports, port_is_open
from devstack.redis import RedisServer

NODES = 2
SLOT = "veneer"
MAX_LAG_S = 2.0
SLEEPERS = 20
"""Registers behind the others and the probe's, which are read before and after each fault and not meanwhile."""
POLICY = """\
version: 1
timeouts: {{drain: 500ms}}
changes:
  db:
    postgres: {{dsn: "{dsn}", slot: {slot}, publication: veneer}}
    max_lag: {max_lag:g}s
    on_loss: forward
    tables:
      registers: ["register:{{id}}", "page:{{page}}"]
      bulk: ["bulk:{{id}}"]
routes:
  - name: registers
    match: {{path: "/r/{{number}}"}}
    cache: {{changes: [db]}}
  - name: pages
    match: {{path: "/page/{{number}}"}}
    cache: {{changes: [db]}}
"""
TABLES = """\
CREATE TABLE registers (id int PRIMARY KEY, version int NOT NULL, page int NOT NULL);
ALTER TABLE registers REPLICA IDENTITY FULL;
CREATE TABLE bulk (id int PRIMARY KEY, version int NOT NULL);
INSERT INTO registers SELECT id, 0, id % {pages} FROM generate_series(0, {last}) AS id;
INSERT INTO bulk SELECT id, 0 FROM generate_series(1, {bulk}) AS id;
CREATE PUBLICATION veneer FOR TABLE registers, bulk;
"""
SETTINGS = ("synchronous_commit=on",)
"""What is committed survives a crash of PostgreSQL (not of the machine), as the judge takes for granted."""


class ChangesWorld:
    """Everything that runs; starting and faults block, so they are called in threads."""

    def __init__(self, directory: Path, registers: int, pages: int, bulk: int, mutant: str | None) -> None:
        postgres_port, redis_port, self.backend_port, *ports = free_ports(3 + 2 * NODES)
        self._tables = TABLES.format(last=registers + SLEEPERS, pages=pages, bulk=bulk)
        self.postgres = PostgresServer(directory / "postgres", port=postgres_port, settings=SETTINGS)
        self.redis = RedisServer(directory / "redis", port=redis_port, persist=True)
        self.dsn = self.postgres.url()
        backend = [sys.executable, "-m", "checks.coherence.changes.registers", str(self.backend_port), self.dsn]
        backend.append(str(registers))  # the one that only the probe of the lag writes
        self._backend = ManagedProcess(Launch("backend", backend, directory / "backend.log"))
        policy = POLICY.format(dsn=self.dsn, slot=SLOT, max_lag=MAX_LAG_S)
        self._program = ["veneer"] if mutant is None else ["checks.coherence.changes.mutants", mutant]
        upstream = f"http://127.0.0.1:{self.backend_port}"
        self.nodes = nodes_on(ports, upstream, self.redis.url, directory, self._program, policy)

    def start(self) -> None:
        """Start everything, the nodes last."""
        self.postgres.start()
        database = Database(self.dsn, 1)
        database.run_now(((self._tables, ()),))
        database.close()
        self.redis.start()
        self._backend.start()
        self._backend.wait_ready(lambda: port_is_open(self.backend_port))
        start_nodes(self.nodes)

    def stop(self) -> None:
        """Stop everything."""
        stop_nodes(self.nodes)
        self._backend.stop()
        self.redis.stop()
        self.postgres.stop()

    # ------------------------------------------------------------ who reads

    def reader(self) -> int | None:
        """The node that has a connection to PostgreSQL, None where none has."""
        for number, node in enumerate(self.nodes):
            with suppress(psutil.Error, OSError, StartError):
                for connection in psutil.Process(node.process.pid).net_connections("tcp"):
                    if tuple(connection.raddr)[1:] == (self.postgres.port,):
                        return number
        return None

    def other_than_the_reader(self) -> int:
        """A node that hears of commits through the log."""
        return 1 - (self.reader() or 0)

    def reader_memory_mb(self) -> float:
        """What the reading node holds resident now; 0 where none reads."""
        number = self.reader()
        if number is None:
            return 0.0
        with suppress(psutil.Error, OSError, StartError):
            return float(psutil.Process(self.nodes[number].process.pid).memory_info().rss) / 2**20
        return 0.0

    # ------------------------------------------------------------ faults

    def sql(self, statement: str) -> list[tuple[object, ...]]:
        """One statement over a connection of its own."""
        connection = psycopg2.connect(self.dsn, connect_timeout=3)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return [] if cursor.description is None else cursor.fetchall()
        finally:
            connection.close()

    def sender(self) -> int | None:
        """The process of PostgreSQL that sends the slot's changes."""
        rows = self.sql(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{SLOT}'")
        return None if not rows or rows[0][0] is None else int(str(rows[0][0]))

    def cut_replication(self) -> None:
        """Close the replication connection from PostgreSQL's side."""
        self.sql(f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{SLOT}'")

    def hold_replication(self, seconds: float) -> None:
        """PostgreSQL sends nothing for so long, and says nothing of it."""
        pid = self.sender()
        if pid is None:
            time.sleep(seconds)
            return
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def drop_slot(self) -> bool:
        """Drop the slot however quickly its reader comes back; whether it went."""
        for _ in range(50):
            with suppress(psycopg2.Error):
                self.cut_replication()
                self.sql(f"SELECT pg_drop_replication_slot('{SLOT}')")
                return True
            time.sleep(0.02)
        return False

    def restart_postgres(self, *, crash: bool) -> None:
        """Stop PostgreSQL in order, or kill it, and start it again."""
        if crash:
            self.postgres.process.kill()
        else:
            self.postgres.stop()
        self.postgres.start()

    def redis_command(self, *command: str | int) -> None:
        """Send one command to Redis."""
        client = redis.Redis(host="127.0.0.1", port=self.redis.port, socket_timeout=10)
        with client:
            client.execute_command(*command)  # type: ignore[no-untyped-call]

    def shift_clock(self, number: int, seconds: float) -> None:
        """Start a node again, with its wall clock off by so much."""
        node = self.nodes[number]
        node.process.stop()
        program = ["checks.coherence.changes.shifted", f"{seconds:g}"] if seconds else self._program
        node.run_as(program)
        node.start()
