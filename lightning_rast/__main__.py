"""`python -m lightning_rast` is the command `lightning-rast`."""

import sys

from lightning_rast.commands import main

if __name__ == "__main__":
    sys.exit(main())
