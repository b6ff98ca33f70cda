"""`kairos audit`: did anybody receive what the policy forbids? Judged from handsets alone.

Nothing in here is the platform's: the judge shares no code with the judged.
"""

from experiments.audit.judging import Audit, Finding, Seen, audit, earliest
from experiments.audit.parts import Part, Parts, read_parts, reassemble
from experiments.audit.policy import Policy, read_policy
from experiments.audit.rules import RULES

__all__ = [
    "RULES",
    "Audit",
    "Finding",
    "Part",
    "Parts",
    "Policy",
    "Seen",
    "audit",
    "earliest",
    "read_parts",
    "read_policy",
    "reassemble",
]
