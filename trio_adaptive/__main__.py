"""``python -m trio_adaptive``: the command line, where its script is not on the path."""

from __future__ import annotations

import sys

from trio_adaptive.cli import main

sys.exit(main())
