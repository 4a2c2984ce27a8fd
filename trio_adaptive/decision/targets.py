"""From the load to a wanted number of units.

The rule shipped today is Dask's own: the scheduler's ``adaptive_target`` counts workers, and a unit of several
workers is bought whole.
"""

from __future__ import annotations

from trio_adaptive.decision.model import Sample


def wanted_units(sample: Sample) -> int:
    """Units that hold the workers asked for: ``ceil(target / workers per unit)``, in integers.

    Integers because the same in floating point asks for one too many now and then
    (31 / 30 * 30 is 31.000000000000004).
    """
    return max(0, -(-sample.load.target // sample.unit_size))
