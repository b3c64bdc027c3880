"""Compiled modules never hide other sources than their own."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from veneer.cli import main as cli
from veneer.compiling.form import DIGEST_NAME, PACKAGE, BuildKind, StaleFormError, digest_of, form, running_form


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "__init__.py").write_text("", "utf-8")
    (tmp_path / "inner" / "hot.py").write_text("A = 1\n", "utf-8")
    return tmp_path


def compiled(package: Path, suffix: str = EXTENSION_SUFFIXES[0]) -> None:
    (package / "inner" / f"hot{suffix}").write_bytes(b"\x7fELF")
    (package / DIGEST_NAME).write_text(digest_of(package), "ascii")


def test_sources_alone_are_interpreted(package: Path) -> None:
    assert form(package) is BuildKind.INTERPRETED


def test_modules_made_from_these_sources_are_the_compiled_form(package: Path) -> None:
    compiled(package)
    assert form(package) is BuildKind.COMPILED


def test_modules_for_another_python_do_not_count(package: Path) -> None:
    compiled(package, ".cpython-27-other.pyd")
    assert form(package) is BuildKind.INTERPRETED


@pytest.mark.parametrize("name", ["inner/hot.py", "__init__.py", "inner/new.py"])
def test_an_edited_source_is_never_hidden(package: Path, name: str) -> None:
    compiled(package)
    (package / name).write_text("A = 2\n", "utf-8")
    with pytest.raises(StaleFormError, match="compile them again"):
        form(package)


def test_modules_of_which_nothing_is_known_are_refused(package: Path) -> None:
    compiled(package)
    (package / DIGEST_NAME).unlink()
    with pytest.raises(StaleFormError):
        form(package)


def test_the_digest_tells_names_from_contents(package: Path) -> None:
    before = digest_of(package)
    (package / "inner" / "hot.py").rename(package / "inner" / "cold.py")
    assert digest_of(package) != before


def test_a_stale_form_does_not_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stale() -> BuildKind:
        raise StaleFormError("the sources are others")

    monkeypatch.setattr(cli, "form", stale)
    assert cli.main(["--version"]) == 2
    assert capsys.readouterr().err == "the sources are others\n"


def test_what_runs_does_not_change_with_what_an_upgrade_puts_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    before = running_form()

    def stale(_package: Path = PACKAGE) -> BuildKind:
        raise StaleFormError("the sources are others")

    monkeypatch.setattr("veneer.compiling.form.form", stale)
    assert running_form() is before


def test_the_version_tells_the_form(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.endswith(f"({form().value})\n")
