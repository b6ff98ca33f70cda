"""Connections, identities and procedures: decoded rows in, behaviours out."""

from marketing.correlate.outcomes import OUTCOMES, Outcome, outcome, outcome_table
from marketing.correlate.table import COUNTERS, LINK, Correlator

__all__ = ["COUNTERS", "LINK", "OUTCOMES", "Correlator", "Outcome", "outcome", "outcome_table"]
