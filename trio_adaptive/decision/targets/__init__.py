"""From the load to a wanted size.

`load_of` asks for workers by all that is known of the work. Where only the scheduler's own answer is known,
`wanted_workers` corrects it. Both count workers; a unit of several is bought whole.
"""

from __future__ import annotations

from trio_adaptive.decision.targets.stock import wanted_units, wanted_workers
from trio_adaptive.decision.targets.work import load_of

__all__ = ["load_of", "wanted_units", "wanted_workers"]
