import argparse
import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from veneer.cli import flags
from veneer.cli import warm as command
from veneer.warming.sources import WarmTarget
from veneer.warming.warmer import MAX_REASONS, Outcome, RequestRate, WarmReport, cache_words, warm


class Proxy:
    """What a proxy would say, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        self.refusals: Iterator[web.Response] = iter(())

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.headers["Host"], request.raw_path, request.headers.get("Authorization")))
        refusal = next(self.refusals, None)
        if refusal is not None:
            return refusal
        said = {"/hit": "Veneer; hit; ttl=5", "/stored": "Edge; fwd=miss, Veneer; fwd=uri-miss; stored"}
        status = 500 if request.path == "/broken" else 200
        return web.Response(status=status, headers={"Cache-Status": said.get(request.path, "Veneer; fwd=uri-miss")})


@pytest.fixture
async def running() -> AsyncIterator[tuple[Proxy, str]]:
    proxy = Proxy()
    app = web.Application()
    app.router.add_route("GET", "/{rest:.*}", proxy.answer)
    async with TestServer(app) as server:
        yield proxy, str(server.make_url(""))


async def no_sleep(_seconds: float) -> None:
    return


async def test_every_target_is_asked_for_and_counted(running: tuple[Proxy, str]) -> None:
    proxy, url = running
    seen: list[WarmReport] = []
    targets = [
        WarmTarget("/hit"),
        WarmTarget("/stored"),
        WarmTarget("/none%2F?a=b%20c", "shop.example"),
        WarmTarget("/broken"),
    ]
    report = await warm(targets, url, {"Authorization": "Bearer t"}, RequestRate(2), seen.append)
    assert report == WarmReport(4, stored=1, present=1, unkept=1, failed=1)
    assert [progress.done for progress in seen] == [1, 2, 3, 4]
    assert ("shop.example", "/none%2F?a=b%20c", "Bearer t") in proxy.asked
    assert str(report) == "4 of 4 targets: 1 stored, 1 already there, 1 not cacheable, 1 failed (1 x status 500)"


async def test_a_rate_limit_is_waited_for_once(running: tuple[Proxy, str]) -> None:
    proxy, url = running
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    def refusal(after: str) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": after})

    proxy.refusals = iter([refusal("7"), refusal("100000"), refusal("1"), refusal("soon")])
    targets = [WarmTarget("/stored"), WarmTarget("/hit"), WarmTarget("/hit")]
    report = await warm(targets[:1], url, {}, RequestRate(1), sleep=sleep)
    assert (report.stored, report.failed) == (0, 1)
    report = await warm(targets[1:], url, {}, RequestRate(1), sleep=sleep)
    assert (report.present, report.failed) == (1, 1)
    assert slept == [7, 1]


async def test_a_pace_is_kept(running: tuple[Proxy, str]) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    await warm([WarmTarget("/hit")] * 4, running[1], {}, RequestRate(2, per_s=4), sleep=sleep)
    assert slept == [0.5] * 4


async def test_a_proxy_that_is_away_fails_every_target() -> None:
    report = await warm([WarmTarget("/a")], "http://127.0.0.1:1", {}, sleep=no_sleep)
    assert report == WarmReport(1, failed=1)
    assert list(report.reasons) == ["http://127.0.0.1:1 cannot be reached: Connection refused"]
    assert await warm([], "http://127.0.0.1:1", {}) == WarmReport(0)


def test_reasons_are_bounded_and_the_most_frequent_comes_first() -> None:
    report = WarmReport(30)
    for number in range(20):
        report = report.counting(Outcome("failed", f"reason {number}"))
    report = report.counting(Outcome("failed", "reason 3"))
    assert len(report.reasons) == MAX_REASONS + 1
    assert "(12 x other reasons, 2 x reason 3, 1 x reason 0" in str(report)


def test_words_are_parameters_not_parts_of_values() -> None:
    assert "stored" in cache_words(["A; hit", "B; fwd=miss; stored"])
    assert "hit" not in cache_words(['V; fwd=miss; detail="x-hit"'])


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    flags.add_warm_flags(parser)
    return command.warm_proxy(parser.parse_args(argv), {})


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty"
    empty.write_text("nothing here\n")
    assert run("--from", str(tmp_path / "missing")) == 1
    assert run("--from", str(empty)) == 1
    err = capsys.readouterr().err
    assert "cannot be read: No such file" in err
    assert "names no path and no URL" in err


def test_the_command_fails_when_everything_failed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = tmp_path / "targets"
    targets.write_text("/a\n/b\n/b\n")
    assert run("--from", str(targets), "--proxy", "http://127.0.0.1:1", "--top", "1", "--rate", "500/1s") == 1
    counts = "1 of 1 targets: 0 stored, 0 already there, 0 not cacheable, 1 failed"
    assert capsys.readouterr().out == f"{counts} (1 x http://127.0.0.1:1 cannot be reached: Connection refused)\n"


async def test_the_command_fails_when_anything_failed(
    running: tuple[Proxy, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = tmp_path / "targets"
    targets.write_text("/stored\n/broken\n")
    status = await asyncio.to_thread(run, "--from", str(targets), "--proxy", running[1])
    assert status == 1
    assert "1 stored, 0 already there, 0 not cacheable, 1 failed (1 x status 500)" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--rate", "5"], ["--at-once", "0"], ["-H", "x"]])
def test_bad_flags_are_refused(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--from", "-", *argv)
    assert "error: argument" in capsys.readouterr().err
