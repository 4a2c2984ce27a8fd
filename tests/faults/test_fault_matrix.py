"""Every fault of the matrix is survived: two workers again, each result there, and nothing beyond the maximum."""

from __future__ import annotations

import pytest
from fault_matrix import FAULTS, as_expected, run
from figures import PAGE

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
def anyio_backend():
    """Both backends are at work in the tests of the parts; these scenes take their time, and are played once."""
    return "trio"


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_it_is_survived(fault, tmp_path):
    assert as_expected(fault, await run(fault, tmp_path)) == []


def test_the_table_in_the_documentation_has_them_all():
    page = PAGE.read_text()
    assert [fault.name for fault in FAULTS if f"| {fault.name} |" not in page] == []
