"""`python -m veneer.compiling DIRECTORY`: make the compiled form there."""

import sys
from pathlib import Path

from veneer.compiling.build import build

if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
