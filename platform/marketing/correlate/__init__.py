"""Connections, identities and procedures: decoded rows in, behaviours out."""

from marketing.correlate.outcomes import OUTCOMES, Outcome, outcome, outcome_table
from marketing.correlate.table import COUNTERS, Correlator

__all__ = ["COUNTERS", "OUTCOMES", "Correlator", "Outcome", "outcome", "outcome_table"]
