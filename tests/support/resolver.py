"""Names for a process of its own to look up: where they lead is told by the test, and changed while it runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("resolver.c")
FAILS, HANGS = "fails", "hangs"


class Resolver:
    """What stands in for the system's resolver (getaddrinfo) in processes that are started with `env`.

    It stands below everything that a process may look names up with. Other names are the system's as ever.
    """

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler: a resolver cannot be put in place of the system's")
        library = directory / "resolver.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
        self._told, self._asked = directory / "told-names", directory / "asked-names"
        self._names: dict[str, str] = {}
        self.env = {"LD_PRELOAD": str(library), "TOLD_NAMES": str(self._told), "ASKED_NAMES": str(self._asked)}

    def tell(self, name: str, *what: str) -> None:
        """From now on the name leads to these addresses, or its look-ups are FAILS or HANGS."""
        self._names[name] = ",".join(what)
        new = self._told.with_suffix(".new")
        new.write_text("".join(f"{known} {leads}\n" for known, leads in self._names.items()))
        new.replace(self._told)

    def asked(self, name: str) -> int:
        """How many look-ups of the name have begun."""
        return self._asked.read_text().split().count(name) if self._asked.exists() else 0
