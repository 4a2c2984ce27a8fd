"""The real decision on a virtual clock: workloads, a model cluster, what a run costs, and how good that is.

Pure but for reading and writing files: no event loop, no scheduler, and chance only from a seed.
"""
