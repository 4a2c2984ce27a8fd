"""What to do with the cluster, decided from values alone: no clock, no I/O, no scheduler, no randomness."""
