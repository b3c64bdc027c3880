import re

import pytest

from veneer.cli.main import main


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"veneer \d+\.\d+\S* \((?:interpreted|compiled)\)\n", capsys.readouterr().out)


def test_an_unknown_command_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["server"])
    assert ended.value.code == 2
    assert "serve" in capsys.readouterr().err
