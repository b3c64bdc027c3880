"""`python -m etter.migrate`: bring the schema up to date (or elsewhere) with Alembic."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from etter.db.engine import plain_engine
from etter.db.locks import LockTimeoutError, take_lock
from etter.options import add_settings_options, settings_from
from etter.settings import SettingsError

# Any constant will do, as long as nothing else in this database uses it: concurrent starts take turns.
MIGRATION_LOCK = 0x457474657201
LOCK_SECONDS = 3600.0


def migrate(database_url: str, revision: str = "head") -> None:
    """Upgrade to `revision`; starts that run at the same time wait for each other."""
    engine = plain_engine(database_url)
    with engine.connect() as connection:
        take_lock(connection, MIGRATION_LOCK, LOCK_SECONDS)
        connection.commit()
        try:
            config = Config(attributes={"connection": connection})
            config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
            if revision == "base":
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m etter.migrate", description=__doc__)
    parser.add_argument("--revision", default="head", help="target (default head; base removes everything)")
    add_settings_options(parser)
    options = parser.parse_args(arguments)
    try:
        migrate(settings_from(options).database_url, options.revision)
    except SettingsError as error:
        sys.stderr.write(f"etter: {error}\n")
        return 2
    except (SQLAlchemyError, LockTimeoutError, ValueError) as error:
        sys.stderr.write(f"etter: migration failed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
