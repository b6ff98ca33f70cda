"""Campaigns that contact nobody: counts of visitors, and lists for people who telephone.

`Outputs` is handed all behaviours and the engine's decisions of action "output"; what it makes are files in
the folder of records, each written whole and then renamed, and answers for the HTTP door. No part of it can
send anything, and none of the statistics holds an identity.
"""

from marketing.outputs.interface_file import prepare_csv, write_csv
from marketing.outputs.origins import Origins, load_origins
from marketing.outputs.outbound import OUTBOUND_COLUMNS, Outbound
from marketing.outputs.outputs import Outputs
from marketing.outputs.visitors import VISITOR_COLUMNS, Visitors

__all__ = [
    "OUTBOUND_COLUMNS",
    "VISITOR_COLUMNS",
    "Origins",
    "Outbound",
    "Outputs",
    "Visitors",
    "load_origins",
    "prepare_csv",
    "write_csv",
]
