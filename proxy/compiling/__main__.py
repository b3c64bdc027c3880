"""`python -m proxy.compiling DIRECTORY`: make the compiled form there."""

import sys
from pathlib import Path

from proxy.compiling.build import build

if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve())
