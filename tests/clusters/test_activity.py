"""What the workers of a unit do together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trio_adaptive.clusters.linked import activity
from trio_adaptive.dask.answers import WorkerInfo
from trio_adaptive.decision.model import WorkerName

workers = st.builds(
    WorkerInfo,
    name=st.just(WorkerName("a")),
    address=st.just("tcp://a:1"),
    nthreads=st.just(1),
    status=st.just("running"),
    executing=st.integers(0, 5),
    stored=st.integers(0, 10**9),
    idle=st.none() | st.floats(0, 1e6),
)


@given(st.lists(workers, max_size=4))
def test_a_unit_is_idle_since_the_last_of_its_workers_is(unit):
    told = activity(unit)
    assert told.stored == sum(worker.stored for worker in unit)
    assert told.executing == sum(worker.executing for worker in unit)
    if not unit or any(worker.idle is None for worker in unit):
        assert told.idle is None
    else:
        assert told.idle in [worker.idle for worker in unit]
        assert all(told.idle <= worker.idle for worker in unit)
