"""Create what is missing, repair what was left half built, and leave the rest alone."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from etter.db.locks import take_lock
from etter.indexes.files import Index, Wanted

LOCK = 0x457474657203

Report = Callable[[str], object]


class IndexBuildError(RuntimeError):
    """Some indexes or extensions could not be made; the text names each and why."""

    def __init__(self, failed: Mapping[str, str]) -> None:
        super().__init__("could not be built: " + "; ".join(f"{name} ({why})" for name, why in failed.items()))


def apply_indexes(engine: Engine, wanted: Wanted, report: Report, *, wait_seconds: float = 600.0) -> int:
    """Bring the database to the wanted indexes without blocking writers; return how many were built.

    One that cannot be built keeps none of the others from it: IndexBuildError names them at the end.
    """
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        take_lock(connection, LOCK, wait_seconds)
        try:
            return _build(connection, wanted, report)
        finally:
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})


def _build(connection: Connection, wanted: Wanted, report: Report) -> int:
    built, failed = 0, {}
    for extension in wanted.extensions:
        try:
            connection.exec_driver_sql(extension.sql)
        except DBAPIError as error:
            failed[extension.name] = _reason(error)
    for index in wanted.indexes:
        try:
            built += _ensure(connection, index, report)
        except DBAPIError as error:
            failed[index.name] = _reason(error)
    if failed:
        raise IndexBuildError(failed)
    return built


def _reason(error: DBAPIError) -> str:
    """The database's own first line. Raises the error itself where the connection is lost: then nothing can go on."""
    if error.connection_invalidated:
        raise error
    return str(error.orig).strip().partition("\n")[0]


def drop_indexes(engine: Engine, wanted: Wanted, report: Report) -> int:
    """Drop the indexes of the files, for comparison; return how many there were."""
    dropped = 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for index in wanted.indexes:
            if _validity(connection, index.name) is not None:
                connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
                report(f"dropped {index.name}")
                dropped += 1
    return dropped


def _ensure(connection: Connection, index: Index, report: Report) -> bool:
    valid = _validity(connection, index.name)
    if valid is True:
        return False
    if valid is False:
        # A concurrent build that failed or was interrupted leaves an index that costs and never serves.
        report(f"repairing {index.name}: an earlier build was not finished")
        connection.exec_driver_sql(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
    connection.exec_driver_sql(index.sql.replace("%", "%%"))
    report(f"built {index.name} on {index.table}")
    return True


def _validity(connection: Connection, name: str) -> bool | None:
    statement = text("SELECT indisvalid AND indisready FROM pg_index WHERE indexrelid = to_regclass(:name)")
    found: bool | None = connection.execute(statement, {"name": name}).scalar_one_or_none()
    return found
