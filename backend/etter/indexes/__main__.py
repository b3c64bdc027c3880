"""`python -m etter.indexes`: apply the index files, and judge the indexes by what PostgreSQL has seen."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from etter.db.engine import plain_engine
from etter.db.locks import LockTimeoutError
from etter.indexes.apply import IndexBuildError, apply_indexes, drop_indexes
from etter.indexes.files import IndexFileError, Wanted, default_directory, read_files
from etter.indexes.recommend import recommend
from etter.indexes.report import analyze, status, unused
from etter.options import add_settings_options, settings_from
from etter.settings import SettingsError

Lines = Callable[[Engine, Wanted], Sequence[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = settings_from(options)
        directory = options.dir or (settings.etter_indexes_dir and Path(settings.etter_indexes_dir))
        wanted = read_files(directory or default_directory())
        engine = plain_engine(settings.database_url)
        _run(options.command, engine, wanted)
    except (SettingsError, IndexFileError) as error:
        sys.stderr.write(f"etter: {error}\n")
        return 2
    except (SQLAlchemyError, LockTimeoutError, IndexBuildError) as error:
        sys.stderr.write(f"etter: {error}\n")
        return 1
    return 0


def _run(command: str, engine: Engine, wanted: Wanted) -> None:
    if command == "apply":
        apply_indexes(engine, wanted, _say)
    elif command == "drop":
        drop_indexes(engine, wanted, _say)
    else:
        reports: dict[str, Lines] = {
            "status": status,
            "analyze": analyze,
            "recommend": recommend,
            "unused": unused,
        }
        for line in reports[command](engine, wanted):
            _say(line)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m etter.indexes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {
        "apply": "create missing indexes concurrently, repair unfinished ones; safe to run at any time",
        "status": "what is there, how big it is, how often it was used",
        "analyze": "renew the planner's statistics",
        "recommend": "indexes that would help the statements seen so far",
        "unused": "indexes that no statement has used, or that another one covers",
        "drop": "drop the indexes of the files, to measure what they are worth",
    }
    for name, help_text in texts.items():
        command = commands.add_parser(name, help=help_text)
        command.add_argument("--dir", type=Path, metavar="DIR", help="the index files; env ETTER_INDEXES_DIR")
        add_settings_options(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
