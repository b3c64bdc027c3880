"""`python -m etter.seed`: load a data set once; does nothing where it is there already."""

import argparse
import sys
from collections.abc import Sequence

import psycopg2
from sqlalchemy.exc import SQLAlchemyError

from etter.db.engine import plain_engine
from etter.options import add_settings_options, settings_from
from etter.seed.load import SeedError, seed
from etter.seed.sizes import SIZES
from etter.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m etter.seed", description=__doc__)
    parser.add_argument("--size", choices=sorted(SIZES), default="demo")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_settings_options(parser)
    options = parser.parse_args(arguments)
    try:
        engine = plain_engine(settings_from(options).database_url)
        seed(engine, options.size, quiet=options.quiet)
    except SettingsError as error:
        sys.stderr.write(f"etter: {error}\n")
        return 2
    except (SeedError, SQLAlchemyError, psycopg2.Error) as error:
        sys.stderr.write(f"etter: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
