"""JupyterLab with a kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, facts, launch
from tests.real.support.install import python_group
from tests.real.support.run import run

pytestmark = [pytest.mark.timeout(600)]

TOKEN = "of-the-test"


def jupyter(port: int, directory: Path) -> Launch:
    group = python_group("jupyter")
    argv = [group.program("jupyter"), "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    settings = {"ServerApp.root_dir": directory / "files", "IdentityProvider.token": TOKEN, "ServerApp.port_retries": 0}
    (directory / "files").mkdir()
    homes = {"HOME": directory, "JUPYTER_CONFIG_DIR": directory / "config", "JUPYTER_DATA_DIR": directory / "data"}
    env = {name: str(value) for name, value in {**homes, "JUPYTER_RUNTIME_DIR": directory / "run"}.items()}
    return launch("jupyter", [*argv, *(f"--{name}={value}" for name, value in settings.items())], directory, env)


def test_a_notebooks_life(both: Both) -> None:
    def steps(site: Site) -> object:
        return facts(run(python_group("jupyter").script("lab_steps.py", site.url, TOKEN)))

    straight, through = both.run(jupyter, steps)
    assert through == straight
