"""``python -m executes CODE``: a worker of which a test says in one line what it does."""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])  # noqa: S102 - it is the test's own
