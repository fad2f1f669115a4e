"""`python3 -m dcgan`."""

import sys

from dcgan.cli import main

if __name__ == "__main__":
    sys.exit(main())
