"""`python -m veneer` is the `veneer` command."""

import sys

from veneer.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
