"""The service over HTTP: what can be seen, and what can be changed. Needs the extra ``service``."""
