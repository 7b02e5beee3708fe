"""Run the command with ``python -m sevendigital_async``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
