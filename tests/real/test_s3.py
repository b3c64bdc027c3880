"""boto3 on moto: objects written, read, listed and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.process import Launch
from tests.real.support.both import Both, Site, facts, launch
from tests.real.support.install import python_group
from tests.real.support.run import run

pytestmark = [pytest.mark.timeout(600)]


def moto(port: int, directory: Path) -> Launch:
    return launch("moto", [python_group("aws").program("moto_server"), "-p", str(port)], directory)


def test_objects_are_what_was_put_there(both: Both) -> None:
    def steps(site: Site) -> object:
        return facts(run(python_group("aws").script("s3_steps.py", site.url)))

    straight, through = both.run(moto, steps)
    assert through == straight
