"""From the load to a wanted size, in workers; a unit of several is bought whole.

`load_of` says how many the work asks for by Dask's rule, repaired. The policies (`trio_adaptive.decision.policy`) make
a target of that, or of the work itself.
"""

from trio_adaptive.decision.targets.stock import wanted_workers
from trio_adaptive.decision.targets.work import load_of

__all__ = ["load_of", "wanted_workers"]
