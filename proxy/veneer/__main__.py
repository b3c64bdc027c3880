"""`python -m veneer` is the `veneer` command."""

import sys

from veneer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
