"""pip and twine on pypiserver: upload, the index right after it, install, download."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, launch
from tests.real.support.install import PythonGroup, python_group
from tests.real.support.run import exit_code, run

pytestmark = [pytest.mark.quick, pytest.mark.timeout(600)]

KEEPING = """
version: 1
routes:
  - {name: index, match: {path: "/simple/{rest:path}", methods: [GET]}, cache: {ttl: 1h, tags: [index]}}
  - {name: upload, match: {path: /, methods: [POST]}, invalidates: [index]}
"""


def pypiserver(port: int, directory: Path) -> Launch:
    argv = [python_group("packages").program("pypi-server"), "run", "-i", "127.0.0.1", "-p", str(port)]
    return launch("pypiserver", [*argv, "-P", ".", "-a", ".", "--backend", "simple-dir", str(directory)], directory)


def wheel(directory: Path, version: str) -> Path:
    """A wheel of one module, made by hand."""
    file, info = directory / f"veneer_probe-{version}-py3-none-any.whl", f"veneer_probe-{version}.dist-info"
    members = {
        "veneer_probe.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: veneer-probe\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(file, "w") as made:
        for name, text in members.items():
            made.writestr(zipfile.ZipInfo(name), text)
    return file


def pip(group: PythonGroup, site: Site, *arguments: str) -> int:
    options = ["--isolated", "--no-deps", "--disable-pip-version-check", "--index-url", f"{site.url}/simple/"]
    env = {"PIP_CONFIG_FILE": "/dev/null", "PIP_CACHE_DIR": str(site.directory / "cache")}
    return exit_code([group.program("python"), "-m", "pip", arguments[0], *options, *arguments[1:]], env=env)


@pytest.mark.parametrize("policies", [None, KEEPING], ids=["as-it-comes", "with-ttl"])
def test_what_was_uploaded_is_installed_at_once(both: Both, policies: str | None) -> None:
    group = python_group("packages")
    both.policies = policies

    def steps(site: Site) -> list[object]:
        done: list[object] = []
        for version in ("1.0", "1.1"):
            target = site.directory / version
            done.append(pip(group, site, "download", "-d", str(target), f"veneer-probe=={version}"))
            made = wheel(site.directory, version)
            upload = ["upload", "--non-interactive", "-u", "any", "-p", "any", "--disable-progress-bar"]
            run([group.program("twine"), *upload, "--repository-url", f"{site.url}/", str(made)])
            done.append(pip(group, site, "install", "--target", str(target / "site"), f"veneer-probe=={version}"))
            done.append((target / "site" / "veneer_probe.py").read_text("utf-8"))
            done.append(pip(group, site, "download", "-d", str(target), "veneer-probe"))
            done.append(sorted(hashlib.sha256(file.read_bytes()).hexdigest() for file in target.glob("*.whl")))
        return done

    straight, through = both.run(pypiserver, steps)
    assert through == straight
    assert [one for one in straight if isinstance(one, int)] == [1, 0, 0, 1, 0, 0]
