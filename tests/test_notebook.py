"""The drop-in in a real notebook kernel: results are right, nothing is said on stderr, the widget knows of it."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs/examples/adaptive.ipynb"

WIDGET = (
    """
import asyncio
from distributed import LocalCluster
import trio_adaptive.dask

cluster = LocalCluster(n_workers=0, processes=False, dashboard_address=":0")
adaptive = cluster.adapt(Adaptive=trio_adaptive.dask.Adaptive, minimum=1, interval="50ms")
shown = cluster._widget().children[1].children[0]
async with asyncio.timeout(30):
    while "Workers: 1<" not in shown.value:  # the cluster's own loop brings it up to date
        await asyncio.sleep(0.05)
"Scaling mode: Adaptive" in shown.value
""",
    """
adaptive.stop()
"Scaling mode: Manual" in cluster._scaling_status()
""",
    "cluster.close(); adaptive.state",
)

pytestmark = pytest.mark.integration


def results(notebook):
    """What the code cells answer, in order, in a kernel of this interpreter; they may take a minute each."""
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [output for output in outputs if output.output_type in {"stream", "error"}]
    return [ast.literal_eval(output.data["text/plain"]) for output in outputs if "execution_count" in output]


def test_the_example_has_no_outputs_and_runs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not [cell for cell in notebook.cells if cell.get("outputs")]
    squares = sum(x * x for x in range(100))
    few = sum(x * x for x in range(20))
    assert results(notebook) == [3, squares, 3, 2, 0, "stopped", (few, "stopped")]


def test_the_clusters_widget_tells_that_it_adapts():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in WIDGET])
    assert results(notebook) == [True, True, "stopped"]
