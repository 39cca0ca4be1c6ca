"""`python -m heso.cli`."""

import sys

from heso.cli import main

sys.exit(main())
