"""What the platform is told of subscribers and cells: the BOSS extract, lists, terminals, the cell table."""

from marketing.profiles.columns import Column
from marketing.profiles.extract import Profiles
from marketing.profiles.lists import DatedList, load_target_list, read_dated_list
from marketing.profiles.loading import load_extract
from marketing.profiles.places import Places, load_cells
from marketing.profiles.schema import DECLARED, Declared, UnknownColumn
from marketing.profiles.switching import RowMap
from marketing.profiles.target_lists import TargetList, TargetLists
from marketing.profiles.terminals import TERMINAL_COLUMNS, Terminals, load_terminals, tac_of_imei

__all__ = [
    "DECLARED",
    "TERMINAL_COLUMNS",
    "Column",
    "DatedList",
    "Declared",
    "Places",
    "Profiles",
    "RowMap",
    "TargetList",
    "TargetLists",
    "Terminals",
    "UnknownColumn",
    "load_cells",
    "load_extract",
    "load_target_list",
    "load_terminals",
    "read_dated_list",
    "tac_of_imei",
]
