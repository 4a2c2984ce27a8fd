"""The other side of the HTTP API: finding a running service, asking it, and telling its answers in words."""
