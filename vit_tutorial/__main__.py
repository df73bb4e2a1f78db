"""`python -m vit_tutorial`."""

import sys


def run() -> int:
    """The command line; an interrupt while it is being imported is one line, too."""
    try:
        from vit_tutorial.cli.main import main

        return main()
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
