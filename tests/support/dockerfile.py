"""Enough of a Dockerfile's grammar to check ours: instructions, stages, the context's ignore file."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of one stage, continuation lines joined."""

    stage: int
    name: str
    text: str

    def words(self) -> list[str]:
        """The arguments, from the exec (JSON) form or the shell form."""
        if self.text.startswith("["):
            return msgspec.json.decode(self.text, type=list[str])
        return shlex.split(self.text)


def parse_dockerfile(path: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile in order; stages count from 0."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    instructions: list[Instruction] = []
    stage = -1
    for line in joined.splitlines():
        name, _, text = line.partition(" ")
        stage += name == "FROM"
        instructions.append(Instruction(stage, name, text.strip()))
    return instructions


def final_stage(instructions: list[Instruction]) -> list[Instruction]:
    """Return the instructions that make the image."""
    last = instructions[-1].stage
    return [instruction for instruction in instructions if instruction.stage == last]


def context_copies(instructions: list[Instruction]) -> list[tuple[list[str], str]]:
    """Return (sources, destination) of every COPY out of the build context."""
    copies = (one.words() for one in instructions if one.name == "COPY" and not one.text.startswith("--from"))
    return [(words[:-1], words[-1]) for words in copies]


def sent_to_builder(source: str, ignore_file: Path) -> bool:
    """Whether an ignore file of the form `*`, `!name`... lets a path of the context through."""
    allowed = [line[1:] for line in ignore_file.read_text("utf-8").split() if line.startswith("!")]
    path = PurePosixPath(source)
    return any(path == PurePosixPath(one) or PurePosixPath(one) in path.parents for one in allowed)
