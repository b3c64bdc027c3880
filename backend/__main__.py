"""`python -m backend serve`."""

import sys

from backend.cli import main

sys.exit(main())
