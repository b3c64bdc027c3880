"""Puts the compiled form into a wheel where HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 asks for it."""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from tempfile import TemporaryDirectory

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# hatchling loads this file by its path.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from veneer.compiling.build import PACKAGE, build
from veneer.compiling.form import DIGEST_NAME


class CompiledForm(BuildHookInterface):
    """Adds what was compiled to the sources, which every wheel holds."""

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Compile before the wheel is put together. An editable install stays as it is written."""
        if version == "editable":
            return
        self._built = TemporaryDirectory()
        compiled = Path(self._built.name)
        build(compiled, Path(self.root))
        made = [*compiled.rglob(f"*{EXTENSION_SUFFIXES[0]}"), compiled / PACKAGE / DIGEST_NAME]
        build_data["force_include"] = {str(path): path.relative_to(compiled).as_posix() for path in made}
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, _build_data: dict[str, object], _artifact_path: str) -> None:
        """Remove what the wheel now holds."""
        if version != "editable":
            self._built.cleanup()
