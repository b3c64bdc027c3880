"""Makes the compiled form."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from mypyc.build import mypycify
from setuptools import Distribution

from veneer.compiling.form import DIGEST_NAME, digest_of

ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds the package."""
PACKAGE = "veneer"
MODULES = Path(__file__).with_name("modules.txt")
OPTIMISATION = "3"
# Otherwise the compiler has to expect that another library replaces any function of ours, and puts none into another.
HIDDEN = "-fvisibility=hidden"
# This warning compares columns, and mypyc indents ever deeper: gcc took two fifths of its time for it.
QUIET = "-Wno-misleading-indentation"
# Nobody steps through the generated C, and names of functions, which profilers show, stay without it.
DEBUG_LEVEL = "0"
# Types are checked by `make lint`; here they are only read, with whatever packages are there.
_MYPY = ["--config-file=", "--ignore-missing-imports", "--no-warn-unused-configs"]


def modules() -> list[str]:
    """The modules to compile, as paths from the directory that holds the package."""
    lines = MODULES.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def build(target: Path, source: Path = ROOT) -> None:
    """Make `target` a directory that holds the proxy's package in its compiled form, and nothing else.

    Nothing is changed there unless all of it was compiled. Raises SystemExit where there is no compiler.
    """
    with TemporaryDirectory() as directory:
        work = Path(directory)
        shutil.copytree(source / PACKAGE, work / PACKAGE, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        _compile(work)
        (work / PACKAGE / DIGEST_NAME).write_text(digest_of(work / PACKAGE), encoding="ascii")
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in (work / PACKAGE, *work.glob("*__mypyc.*")):
            shutil.move(path, target)


def _compile(work: Path) -> None:
    """Compile the modules below `work` in place, as one group: calls between them are native."""
    before = Path.cwd()
    os.chdir(work)  # mypyc and setuptools take names relative to where they run
    try:
        extensions = mypycify([*_MYPY, *modules()], opt_level=OPTIMISATION, debug_level=DEBUG_LEVEL, group_name=PACKAGE)
        for extension in extensions:
            extension.extra_compile_args += [HIDDEN, QUIET]
        command = Distribution({"name": PACKAGE, "ext_modules": extensions}).get_command_obj("build_ext")
        command.inplace = True
        command.ensure_finalized()
        command.run()
    finally:
        os.chdir(before)
