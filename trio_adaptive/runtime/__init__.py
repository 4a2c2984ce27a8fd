"""The nursery: collector, scaling loop and shutdown watcher, which talk through memory channels only."""
