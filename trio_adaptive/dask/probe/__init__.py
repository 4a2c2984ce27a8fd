"""What runs inside the scheduler.

The scheduler's machine does not have this package: the text of these files is sent there and becomes modules of the
same names under another package. So they import distributed, the standard library and, relatively, each other; and
they are written in the Python of the oldest scheduler that is met, 3.10.
"""
