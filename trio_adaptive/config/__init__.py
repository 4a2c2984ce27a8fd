"""The options of the autoscaler: what each allows, the frozen value that holds them all, and where they come from."""

from trio_adaptive.config.allowed import VALUES, Sync
from trio_adaptive.config.settings import OPTIONS, ORDERED, Settings
from trio_adaptive.config.sources import Source, load_settings

__all__ = ["OPTIONS", "ORDERED", "VALUES", "Settings", "Source", "Sync", "load_settings"]
