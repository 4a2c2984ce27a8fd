"""``python -m spare GATE MODULE ARGUMENT ...``: a worker that is kept ready, and becomes one when the gate is opened."""

import runpy
import sys

if __name__ == "__main__":
    _, gate, module, *arguments = sys.argv
    with open(gate) as opened:  # noqa: PTH123 - returns when somebody opens the other end
        opened.read()
    sys.argv[:] = [module, *arguments]
    sys.modules.pop(module)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
