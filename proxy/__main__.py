"""`python -m proxy` is the `veneer` command."""

import sys

from proxy.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
