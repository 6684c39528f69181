"""`python -m demo`: the app, or one of its commands (see `demo.cli`)."""

import sys

from demo.cli import main

if __name__ == "__main__":
    sys.exit(main())
