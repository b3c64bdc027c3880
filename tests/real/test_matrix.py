"""Synapse, a Matrix server, and long polls of 30 seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, facts, launch
from tests.real.support.install import python_group
from tests.real.support.run import run

pytestmark = [pytest.mark.timeout(600)]

MORE = """
enable_registration: true
enable_registration_without_verification: true
rc_registration: {{per_second: 100, burst_count: 100}}
presence: {{enabled: false}}
suppress_key_server_warning: true
listeners:
  - {{port: {port}, bind_addresses: ["127.0.0.1"], type: http, tls: false, resources: [{{names: [client]}}]}}
"""


def synapse(port: int, directory: Path) -> Launch:
    python = python_group("matrix").program("python")
    config, more = directory / "homeserver.yaml", directory / "more.yaml"
    argv = [python, "-m", "synapse.app.homeserver", "-c", str(config)]
    run([*argv, "--server-name", "test.example", "--generate-config", "--report-stats=no"], cwd=directory)
    more.write_text(MORE.format(port=port), "utf-8")
    return launch("synapse", [*argv, "-c", str(more)], directory)


def test_messages_end_a_long_poll_and_so_does_its_time(both: Both) -> None:
    def steps(site: Site) -> object:
        return facts(run(python_group("matrix").script("chat_steps.py", site.url), timeout_s=200))

    straight, through = both.run(synapse, steps)
    assert through == straight
