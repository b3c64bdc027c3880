"""apt-get on a repository that gets a new version: its index is old by date, so that a guess would keep it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.real.support.both import Both, Site
from tests.real.support.files import files
from tests.real.support.install import debian
from tests.real.support.run import exit_code, run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

OLD_S = 1_700_000_000


def add_package(root: Path, version: str) -> None:
    """A package of no files, and the index files that name all there are."""
    source, pool, dist = root.parent / f"package-{version}", root / "pool", root / "dists" / "stable"
    index = dist / "main" / "binary-all"
    for directory in (source / "DEBIAN", pool, index):
        directory.mkdir(parents=True, exist_ok=True)
    control = f"Package: veneer-probe\nVersion: {version}\nArchitecture: all\nMaintainer: none\nDescription: probe\n"
    (source / "DEBIAN" / "control").write_text(control, "ascii")
    package = pool / f"veneer-probe_{version}_all.deb"
    run(["dpkg-deb", "--root-owner-group", "-b", str(source), str(package)])
    data = package.read_bytes()
    told = f"Filename: pool/{package.name}\nSize: {len(data)}\nSHA256: {hashlib.sha256(data).hexdigest()}\n\n"
    with (index / "Packages").open("a", encoding="ascii") as packages:
        packages.write(control + told)
    text = (index / "Packages").read_bytes()
    line = f" {hashlib.sha256(text).hexdigest()} {len(text)} main/binary-all/Packages\n"
    head = "Suite: stable\nCodename: stable\nComponents: main\nArchitectures: all\n"
    (dist / "Release").write_text(f"{head}Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{line}", "ascii")
    for number, file in enumerate((index / "Packages", dist / "Release", package)):
        os.utime(file, (OLD_S, OLD_S + number + len(text)))


def apt(site: Site, *arguments: str) -> int:
    home = site.directory / "apt"
    for part in ("lists/partial", "archives/partial", "etc"):
        (home / part).mkdir(parents=True, exist_ok=True)
    (home / "sources.list").write_text(f"deb [trusted=yes arch=all] {site.url}/ stable main\n", "ascii")
    (home / "status").touch()
    options = {
        "Dir::State::lists": home / "lists",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "archives",
        "Dir::Etc::sourcelist": home / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Acquire::Languages": "none",
        "Acquire::Retries": "0",
        "APT::Sandbox::User": "root",
        "APT::Architecture": "all",
    }
    flags = [flag for name, value in options.items() for flag in ("-o", f"{name}={value}")]
    return exit_code(["apt-get", "-qq", *flags, *arguments], cwd=site.directory)


def test_an_update_finds_the_version_that_came(both: Both) -> None:
    debian("dpkg", "dpkg-deb", "apt-get")

    def steps(site: Site) -> list[object]:
        done: list[object] = []
        for version in ("1.0", "1.1"):
            if version == "1.1":
                add_package(site.served / "root", version)
            done += [apt(site, "update"), apt(site, "update"), apt(site, "download", "veneer-probe")]
            done.append(sorted(file.name for file in site.directory.glob("*.deb")))
        return done

    straight, through = both.run(files(lambda root: add_package(root, "1.0")), steps)
    assert through == straight
    assert straight[-1] == ["veneer-probe_1.0_all.deb", "veneer-probe_1.1_all.deb"]
