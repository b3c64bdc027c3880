"""`python -m etter serve`."""

import sys

from etter.cli import main

sys.exit(main())
