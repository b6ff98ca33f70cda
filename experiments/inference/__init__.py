"""Inference: pure functions from arrays and counts to estimates with intervals, or to a reason why not.

No input or output, no clock, no global chance: the same arguments give the same result.
"""

from experiments.inference.estimate import LEVEL, Estimate, Refused

__all__ = ["LEVEL", "Estimate", "Refused"]
