"""What the platform is told of subscribers and cells: the BOSS extract, dated lists, the cell table."""

from marketing.profiles.extract import Profiles, load_extract
from marketing.profiles.lists import read_dated_list
from marketing.profiles.places import Places, load_cells

__all__ = ["Places", "Profiles", "load_cells", "load_extract", "read_dated_list"]
