"""A recorded run once more: the same decisions, and those that other settings would have made."""
