"""What the builder of images takes from this machine, and how it finds what it has built."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from devstack import images
from devstack.process import ROOT


def test_options_of_pip_are_taken_from_files_and_variables_and_those_of_variables_count() -> None:
    listing = "global.index-url='a'\n:env:.index-url='b'\nglobal.timeout='9'\ninstall.no-deps='1'\nfreeze.x='y'\n"
    assert images.pip_settings(listing) == {"index-url": "b", "timeout": "9", "no-deps": "1"}


def test_several_values_are_one_line() -> None:
    assert images.pip_settings("global.find-links='\\n/a\\n/b'\n")["find-links"].split() == ["/a", "/b"]


def test_files_that_options_name_are_found_and_an_index_brings_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").touch()
    (tmp_path / "pypi" / "simple").mkdir(parents=True)
    values = [str(tmp_path / "ca.crt"), f"file://{tmp_path}/pypi/simple https://x/simple", "/nowhere", "1"]
    assert list(images.files_in(values)) == [str(tmp_path / "ca.crt"), str(tmp_path / "pypi")]


@pytest.mark.parametrize("dockerfile", images.DOCKERFILES.values())
def test_a_base_can_be_made_for_every_image(dockerfile: str) -> None:
    version = images.base_of(ROOT / dockerfile).removeprefix("python:").removesuffix("-slim")
    assert version in images.RELEASES


def test_a_file_without_a_base_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(images.ImagesError, match="names no Python image"):
        images.base_of(tmp_path / "Dockerfile")


def test_an_image_whose_files_are_gone_was_not_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PLACE", tmp_path)
    assert images.read_image("veneer") is None
    built = images.Image(root=str(tmp_path), user="1:1")
    images.record_of("veneer").write_bytes(msgspec.json.encode(built))
    assert images.read_image("veneer") == built
    images.record_of("veneer").write_bytes(msgspec.json.encode(images.Image(root=str(tmp_path / "gone"))))
    assert images.read_image("veneer") is None


def test_what_is_missing_for_a_build_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    assert images.missing() == "images need buildah and mmdebstrap (apt-get install buildah mmdebstrap)"
    monkeypatch.setattr("os.geteuid", lambda: 1)
    assert images.missing() == "images are built as root"
