"""``python -m becomes COMMAND ...``: what a forked process runs in tests, to be whatever a test wants it to be."""

import os
import sys

if __name__ == "__main__":
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell is what is wanted
