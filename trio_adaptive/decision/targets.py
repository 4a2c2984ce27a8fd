"""From the load to a wanted number of units.

The rule shipped today is Dask's own: the scheduler's ``adaptive_target`` counts workers, and a unit of several
workers is bought whole.
"""

from __future__ import annotations

from trio_adaptive.decision.model import Sample
from trio_adaptive.decision.state import units_for


def wanted_units(sample: Sample) -> int:
    """Units that hold the workers asked for."""
    return max(0, units_for(sample.load.target, sample.unit_size))
