"""Experiments: the `kairos` command and, one module a question, the studies that it runs.

The only package that sees both the simulator and the platform, and the platform only from outside: as a child
process with three doors, and as the records it leaves.
"""
