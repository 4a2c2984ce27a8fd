"""Policies that only advise: what they would do, and what would come of it, in a cluster that is only estimated."""
