"""`python -m vit_tutorial`."""

import sys

from vit_tutorial.cli import main

if __name__ == "__main__":
    sys.exit(main())
