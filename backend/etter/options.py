"""Command-line options that all commands of the backend share."""

import argparse
import os
from pathlib import Path

from etter.settings import Settings, SettingsError, load_settings


def add_settings_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all commands of the backend share."""
    parser.add_argument("--database-url", metavar="URL", help="postgresql://user@host:port/name; env DATABASE_URL")
    parser.add_argument("--settings", type=Path, metavar="FILE", help="YAML file of settings, names as below")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="one setting, like DB_POOL_SIZE=5"
    )


def settings_from(options: argparse.Namespace) -> Settings:
    """Merge file, environment and flags of a parsed command line."""
    overrides = {}
    for pair in options.set:
        name, separator, value = pair.partition("=")
        if not separator:
            msg = f"--set {pair}: expected NAME=VALUE"
            raise SettingsError(msg)
        overrides[name.upper()] = value
    if options.database_url:
        overrides["DATABASE_URL"] = options.database_url
    return load_settings(os.environ, overrides, options.settings)
