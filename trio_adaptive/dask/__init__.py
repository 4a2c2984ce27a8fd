"""Everything that touches distributed: calls on its event loops, its scheduler's handlers, its events."""
