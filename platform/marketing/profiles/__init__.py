"""What the platform is told of subscribers and cells: the BOSS extract, lists, terminals, the cell table."""

from marketing.profiles.columns import Column
from marketing.profiles.extract import Profiles
from marketing.profiles.lists import DatedList, load_target_list, read_dated_list
from marketing.profiles.loading import load_extract
from marketing.profiles.places import Places, load_cells
from marketing.profiles.schema import DECLARED, Declared, UnknownColumn
from marketing.profiles.segments import (
    SEGMENT_COLUMNS,
    SegmentTable,
    check_segments,
    load_segments,
    with_segments,
)
from marketing.profiles.switching import RowMap
from marketing.profiles.target_lists import TargetList, TargetLists
from marketing.profiles.terminals import TERMINAL_COLUMNS, Terminals, load_terminals, tac_of_imei

__all__ = [
    "DECLARED",
    "SEGMENT_COLUMNS",
    "TERMINAL_COLUMNS",
    "Column",
    "DatedList",
    "Declared",
    "Places",
    "Profiles",
    "RowMap",
    "SegmentTable",
    "TargetList",
    "TargetLists",
    "Terminals",
    "UnknownColumn",
    "check_segments",
    "load_cells",
    "load_extract",
    "load_segments",
    "load_target_list",
    "load_terminals",
    "read_dated_list",
    "tac_of_imei",
    "with_segments",
]
