"""For tests of yours: a cluster without workers, and the rules that every adapter of a cluster keeps.

Neither needs Dask or pytest; both run in a trio and in an asyncio program.
"""

from __future__ import annotations

from trio_adaptive.testing.conformance import BrokenRule, ConformanceError, check_cluster
from trio_adaptive.testing.fake import Call, FakeCluster

__all__ = ["BrokenRule", "Call", "ConformanceError", "FakeCluster", "check_cluster"]
