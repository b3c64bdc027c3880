"""User-space instructions of one request, counted by valgrind: a figure that no other work on the machine shakes.

    python -m benchmarks.instructions [--cases hit,304] [--requests 5000]

The proxy runs under callgrind with everything on, as in `make bench`; counting begins when it is warm. Requests come
one after the other on one connection, so that each pays for whole turns of the loop. What the kernel does is not
counted.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

from benchmarks.peers.cases import VENEER, VENEER_PASS, all_cases
from benchmarks.peers.requests import MARK
from benchmarks.peers.servers import Origin, Veneer, Way
from benchmarks.peers.wire import LoadError, whole_size
from devstack.process import ROOT

RESULT = Path(__file__).parent / "results" / "instructions.md"
COMPILED = ROOT / ".compiled"
FORMS: Mapping[str, Mapping[str, str]] = {
    "as written": {"PYTHONPATH": ""},
    "compiled": {"PYTHONPATH": str(COMPILED), "PYTHONSAFEPATH": "1"},
}
WARM_UP = 1_000
PIECE = 256 * 1024


def requests_of() -> dict[str, bytes]:
    """What Veneer is sent in those cases of `make bench` in which one small answer follows the other."""
    cases = all_cases()
    chosen = {key: (key, VENEER) for key in ("hit", "hit-changing", "hit-br", "304", "429", "miss")}
    chosen["pass"] = ("miss", VENEER_PASS)
    return {
        name: next(entrant.requests[0] for entrant in cases[key].entrants if entrant.label == label)
        for name, (key, label) in chosen.items()
    }


def count(form: str, sent: bytes, requests: int, origin: Origin, directory: Path) -> int:
    """Instructions of one request, the mean of so many. Raises LoadError and StartError."""
    out = directory / "callgrind.out"
    under = ("valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}")
    server = Veneer(origin.port, directory, way=Way(under, {"PYTHONHASHSEED": "0", **FORMS[form]}))
    server.start(min(os.sched_getaffinity(0)))
    try:
        with socket.create_connection(("127.0.0.1", server.ports["full"]), timeout=60) as connection:
            _ask(connection, sent, range(WARM_UP))
            _control(server.pids[0], "--instr=on")
            _control(server.pids[0], "--zero")
            _ask(connection, sent, range(WARM_UP, WARM_UP + requests))
            _control(server.pids[0], "--dump")
    finally:
        server.stop()
    found = re.search(r"^totals: (\d+)", out.with_suffix(".out.1").read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise LoadError("callgrind counted nothing")
    return round(int(found[1]) / requests)


def _control(pid: int, what: str) -> None:
    subprocess.run(["callgrind_control", what, str(pid)], check=True, capture_output=True)


def _ask(connection: socket.socket, sent: bytes, numbers: range) -> None:
    """Send one request for each number, and read its answer."""
    for number in numbers:
        connection.sendall(sent.replace(MARK.encode(), b"%08d" % number))
        answer = b""
        while len(answer) < whole_size(answer):
            data = connection.recv(PIECE)
            if not data:
                raise LoadError("the connection was closed")
            answer += data


def table(found: Mapping[str, Mapping[str, int]]) -> str:
    """The result as a Markdown page; `found` holds the forms of each case."""
    forms = [form for form in FORMS if any(form in counts for counts in found.values())]
    rows = [
        f"| {case} | " + " | ".join(f"{counts[form]:,}" if form in counts else "" for form in forms) + " |"
        for case, counts in found.items()
    ]
    head = ["| case | " + " | ".join(forms) + " |", "|---|" + "---:|" * len(forms)]
    about = f"Made by `make bench-instructions`. {(__doc__ or '').split(chr(10) * 2, 2)[2]}"
    return "\n".join(["# User-space instructions of one request", "", about, *head, *rows, ""])


def measure(cases: Sequence[str], forms: Sequence[str], requests: int) -> dict[str, dict[str, int]]:
    """Instructions by case and form. Raises LoadError and StartError."""
    found: dict[str, dict[str, int]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        origin = Origin(directory)
        origin.start(min(os.sched_getaffinity(0)))
        try:
            for case, form in product(cases, forms):
                counted = count(form, requests_of()[case], requests, origin, directory / f"{case}, {form}")
                found.setdefault(case, {})[form] = counted
                sys.stdout.write(f"{case}, {form}: {counted:,} instructions\n")
                sys.stdout.flush()
        finally:
            origin.stop()
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Count; returns 0 when everything that was asked for was counted."""
    known = ",".join(requests_of())
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--cases", default=known, help=f"of {known}")
    parser.add_argument("--requests", type=int, default=5_000, help="enough that what comes now and then counts little")
    options = parser.parse_args(argv)
    if shutil.which("valgrind") is None:
        sys.stderr.write("valgrind is missing: install the package valgrind\n")
        return 1
    forms = [form for form in FORMS if form != "compiled" or COMPILED.is_dir()]
    RESULT.write_text(table(measure(options.cases.split(","), forms, options.requests)), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
