"""The configuration file: one TOML file for the service, its clusters and how they are adapted.

`tables` has what each table allows, `reading` makes a `Configuration` of a file, `check` is the command, and `changes`
tells which differences between two readings can be applied while the service runs.
"""
