"""The servers that the tests stand on: fresh, isolated, and able to fail and come back."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable
from itertools import chain, count
from pathlib import Path

import psycopg2
import pytest

from devstack.postgres import PostgresServer
from devstack.process import LOWEST_PORT, Launch, ManagedProcess, Ports, StartError, port_is_open, wait_until
from devstack.redis import RedisServer
from tests.support.processes import is_alive_pid


def _run_sql(url: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def _draws(*ports: int) -> Callable[[int, int], int]:
    """In place of chance: these ports, then those above the last one."""
    drawn = chain(ports, count(ports[-1] + 1))
    return lambda _lowest, _above: next(drawn)


def test_a_port_is_not_given_out_again_before_its_owner_listens_on_it() -> None:
    # nginx of the benchmark was once told to listen on one port twice.
    first, *rest = Ports().take(20)
    ports = Ports(_draws(first, first, *rest))
    assert ports.take(1) == [first]
    assert ports.take(2) == rest[:2]


def test_nor_is_the_partner_of_a_port_given_out_before() -> None:
    (first,) = Ports().take(1, partner=10)
    ports = Ports(_draws(first, first + 10))
    assert ports.take(1, partner=10) == [first]
    assert ports.take(1) > [first + 10]


def test_after_many_others_a_port_may_be_given_out_again() -> None:
    first, second = Ports().take(2)
    ports = Ports(_draws(first, second, first), remembered=1)
    assert ports.take(3) == [first, second, first]


def test_a_port_that_somebody_listens_on_is_not_given_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert taken.getsockname()[1] not in Ports(_draws(taken.getsockname()[1], LOWEST_PORT)).take(3)


def test_a_module_gets_an_empty_database_of_its_own(database_url: str) -> None:
    assert _run_sql(database_url, "select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
    assert _run_sql(database_url, "show timezone") == [("UTC",)]


def test_trigram_indexes_are_possible(database_url: str) -> None:
    _run_sql(database_url, "create extension pg_trgm")
    assert _run_sql(database_url, "select similarity('etter', 'etter')") == [(1.0,)]


def test_postgres_keeps_its_data_over_a_restart() -> None:
    with tempfile.TemporaryDirectory(prefix="veneer-postgres-") as directory:
        server = PostgresServer(Path(directory), durable=True)
        server.start()
        url = server.ensure_database("kept")
        _run_sql(url, "create table t (n int)")
        server.stop()
        assert not port_is_open(server.port)
        server.start()
        assert server.ensure_database("kept") == url
        assert _run_sql(url, "select count(*) from t") == [(0,)]
        server.stop()


def test_redis_is_empty_for_each_test(redis_server: RedisServer, redis_url: str) -> None:
    with redis_server.client() as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_redis_is_empty_for_the_next_test(redis_server: RedisServer, redis_url: str) -> None:
    with redis_server.client() as client:
        assert client.dbsize() == 0


def test_a_killed_redis_comes_back_empty_on_the_same_port(new_redis: Callable[..., RedisServer]) -> None:
    server = new_redis()
    port = server.port
    with server.client() as client:
        client.set("k", "v")
    server.kill()
    assert not port_is_open(port)
    server.restart()
    assert server.port == port
    with server.client() as client:
        assert client.get("k") is None


def test_a_persisting_redis_survives_a_kill_unless_wiped(new_redis: Callable[..., RedisServer]) -> None:
    server = new_redis(persist=True)
    with server.client() as client:
        client.set("k", "v")
    server.kill()
    server.restart()
    with server.client() as client:
        assert client.get("k") == b"v"
    server.restart(wipe=True)
    with server.client() as client:
        assert client.get("k") is None


def test_extra_arguments_reach_redis(new_redis: Callable[..., RedisServer]) -> None:
    server = new_redis(extra_args=("--maxmemory", "1mb"))
    with server.client() as client:
        assert client.config_get("maxmemory") == {"maxmemory": "1048576"}


def test_a_failed_start_is_one_line_with_the_childs_last_words(tmp_path: Path) -> None:
    child = ManagedProcess(Launch("Sad", ["/bin/sh", "-c", "echo first; echo no luck; exit 3"], tmp_path / "sad.log"))
    child.start()
    with pytest.raises(StartError, match=r"^Sad did not start \(exit code 3\): no luck$"):
        child.wait_ready(lambda: False)


def test_a_missing_program_is_one_line(tmp_path: Path) -> None:
    child = ManagedProcess(Launch("Gone", ["/no/such/program"], tmp_path / "gone.log"))
    with pytest.raises(StartError, match=r"Gone did not start: .*No such file"):
        child.start()


def test_stopping_ends_grandchildren_too(tmp_path: Path) -> None:
    script = "sleep 300 & echo $!; wait"
    child = ManagedProcess(Launch("Family", ["/bin/sh", "-c", script], tmp_path / "family.log"))
    child.start()
    child.wait_ready(lambda: bool(child.log_lines()))
    grandchild = int(child.log_lines()[0])
    child.stop()
    assert not child.running
    assert wait_until(lambda: not is_alive_pid(grandchild), timeout_s=5)
