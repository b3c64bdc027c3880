"""Processor time of a token that was never seen, by the algorithm that signed it, beside one that is remembered.

    python -m benchmarks.first_sight [--rounds 5] [--tokens 400]

In-process: the head is read already, and what is counted is all that follows from its Authorization. Each token is
another one. The algorithms take turns in every round; printed are medians, the least and the most.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.peers.requests import SECRET
from benchmarks.targets import Target, target_table
from veneer.core.fields import Fields
from veneer.identity.provers import IdentityProvers
from veneer.loop.clock import SystemClock
from veneer.loop.tasks import Tasks
from veneer.policy.load import parse_policy
from veneer.upstream.retrieval import ResourceClient

RESULT = Path(__file__).parent / "results" / "first-sight.md"
VARIABLE: Final = "VENEER_FIRST_SIGHT_SECRET"
NOW: Final = 1_800_000_000.0
MOST_US: Final[Mapping[str, float]] = {"HS256": 150.0, "RS256": 400.0}
"""The bars: microseconds of processor time."""

SigningKey = str | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Sight:
    """Microseconds of processor time for a token, round by round: at first sight, and once it is remembered."""

    first_us: list[float]
    again_us: list[float]


def signers() -> dict[str, SigningKey]:
    """A key for each algorithm."""
    return {
        "HS256": SECRET,
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


def policy_text(key: SigningKey) -> str:
    """A policy whose one identity is proven by tokens of this key."""
    if isinstance(key, str):
        checked = f"secret_env: {VARIABLE}"
    else:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        checked = f"public_key: |\n{indent(pem, ' ' * 12)}"
    said = "issuer: [https://issuer.example], audience: [api], values: {tenant: tenant, user: sub}"
    lines = ["identities:", "  api:", "    jwt:", "      keys:", f"        - {checked}"]
    return "\n".join([*lines, *(f"      {part}" for part in said.replace("], ", "]\n").splitlines())])


def lines_of(algorithm: str, key: SigningKey, numbers: range) -> list[Fields]:
    """The fields of requests, each with another token, as an issuer of today makes them."""
    said = {"iss": "https://issuer.example", "aud": "api", "iat": int(NOW), "exp": int(NOW) + 3600}
    return [
        Fields(
            [
                (
                    "Authorization",
                    "Bearer "
                    + jwt.encode({**said, "sub": f"user-{number}", "tenant": f"t{number % 10}"}, key, algorithm),
                )
            ]
        )
        for number in numbers
    ]


def measure(rounds: int, tokens: int) -> dict[str, Sight]:
    """What each algorithm costs; the first round warms up and is left out."""
    os.environ[VARIABLE] = SECRET
    found: dict[str, Sight] = {}
    keys = signers()
    for number in range(rounds + 1):
        for algorithm, key in keys.items():
            tasks, defined = Tasks(), parse_policy(policy_text(key), "first-sight").identities
            provers = IdentityProvers(ResourceClient(SystemClock(), tasks), tasks)
            provers.apply(defined)
            asked = lines_of(algorithm, key, range(number * tokens, (number + 1) * tokens))
            first, again = (_spent_us(provers, defined, asked) for _ in range(2))
            if number:
                sight = found.setdefault(algorithm, Sight([], []))
                sight.first_us.append(first)
                sight.again_us.append(again)
    return found


def _spent_us(provers: IdentityProvers, defined: tuple[object, ...], asked: Sequence[Fields]) -> float:
    began = time.process_time()
    proven = [provers.prove(defined, fields, NOW, trusted=False) for fields in asked]
    spent = time.process_time() - began
    assert all(proven), "each of the tokens is good"
    return spent / len(asked) * 1e6


def judged(found: Mapping[str, Sight]) -> list[Target]:
    """Whether the bars are met."""
    return [
        Target(
            f"first sight of a token of {algorithm}, at most {most_us:g} us of processor time",
            _shown(found[algorithm].first_us),
            statistics.median(found[algorithm].first_us) <= most_us,
        )
        for algorithm, most_us in MOST_US.items()
        if algorithm in found
    ]


def page(found: Mapping[str, Sight]) -> str:
    """The result as a Markdown page."""
    about = f"Made by `make bench`. {(__doc__ or '').split(chr(10) * 2, 2)[2]}"
    rows = [f"| {name} | {_shown(sight.first_us)} | {_shown(sight.again_us)} |" for name, sight in found.items()]
    head = ["| signed with | first sight, us | remembered, us |", "|---|---:|---:|"]
    return "\n".join(["# First sight of a token", "", about, *target_table(judged(found)), "", *head, *rows, ""])


def _shown(us: Sequence[float]) -> str:
    return f"{statistics.median(us):.1f} ({min(us):.1f} to {max(us):.1f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_sight", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=400, help="of each algorithm in each round")
    options = parser.parse_args(argv)
    text = page(measure(options.rounds, options.tokens))
    RESULT.write_text(text, "utf-8")
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
