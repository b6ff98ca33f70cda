"""Kinds of places in one table: who goes there, when it is open, how full by the hour, how many there are.

The map puts places of these kinds into a city, diaries send people to them, campaigns name them. Figures are
the sketch of a Chinese city of the first decade of the century: counts follow the order of magnitude of city
yearbooks, hours the signs on the doors; they are inputs of the simulation, not measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

PlaceKind = Literal[
    "airport", "station", "mall", "office", "campus", "scenic",
    "bank-vip", "stock-hall", "insurance", "car-dealer", "filling-station", "hotel", "resort", "golf", "gym",
    "beauty-salon", "hospital", "sanatorium", "bar", "ktv", "cinema", "net-cafe", "bookshop", "supermarket",
    "market", "wholesale-market", "rural-fair", "job-market", "recruitment-site", "exam-site", "dormitory",
    "conference-centre", "government-office", "coach-station", "bus-stop", "park", "senior-centre",
]  # fmt: skip
"""Names of the kinds, as files write them."""

Where = Literal["centre", "town", "edge", "beyond", "road", "rail"]
"""Where the generator looks for a site: downtown, anywhere in town, the outskirts, beyond them, at a line."""


@dataclass(frozen=True, slots=True)
class PlaceKindRow:
    """One kind of place."""

    name: PlaceKind
    who: str
    """How much each segment likes to go there: nine digits 0..9 in the order of `SegmentShares`."""
    hours: tuple[int, int]
    """Opens and closes on a weekday, whole hours; past 24 is after midnight; equal: closed."""
    weekday: str
    """How full by the hour on a weekday: 24 digits 0..9 from midnight, relative to its own fullest hour."""
    weekend_hours: tuple[int, int]
    weekend: str
    stay_min: int
    """Median length of a visit, minutes."""
    per_100k: int
    """How many there are for 100,000 inhabitants; the generator makes at least one."""
    cells: int
    """Indoor cells of its own where the network can afford them; 0: always served by the cell around it."""
    where: Where

    @property
    def likes(self) -> tuple[int, ...]:
        """`who` as numbers."""
        return tuple(int(digit) for digit in self.who)

    def crowd(self, weekend: bool) -> tuple[int, ...]:
        """The crowd curve as 24 numbers 0..9."""
        return tuple(int(digit) for digit in (self.weekend if weekend else self.weekday))

    def opening(self, weekend: bool) -> tuple[int, int]:
        """Opening and closing hour; closing may be past 24; equal where closed all day."""
        return self.weekend_hours if weekend else self.hours

    def is_open(self, hour: int, weekend: bool) -> bool:
        """Whether it is open in an hour 0..23 of a day, the small hours of the evening before included."""
        opens, closes = self.opening(weekend)
        return opens <= hour < closes or opens <= hour + 24 < closes


_DAY, _NEVER = (0, 24), (0, 0)
_SHUT: Final = "0" * 24

# Digits of `who`: business travellers, urban women, office staff, civil servants, students, home-makers,
# migrant workers, farmers, the elderly.
# fmt: off
PLACE_KINDS: Final[tuple[PlaceKindRow, ...]] = (
    # name, who, hours, weekday, weekend hours, weekend, stay, per 100k, cells, where
    PlaceKindRow("airport", "923220111", _DAY, "211111489877778898876543",
                 _DAY, "211111489877778898876543", 100, 0, 3, "beyond"),
    PlaceKindRow("station", "613352741", _DAY, "322224678887667889875433",
                 _DAY, "322224678999877899876433", 45, 1, 2, "rail"),
    PlaceKindRow("mall", "495451312", (10, 22), "000000000024665566789600",
                 (9, 22), "000000000357888999987500", 75, 2, 3, "centre"),
    PlaceKindRow("office", "869210100", (7, 23), "000000038999789999863210",
                 (9, 18), "000000000222222222000000", 480, 3, 4, "centre"),
    PlaceKindRow("campus", "000090010", _DAY, "666666789999999999998877",
                 _DAY, "666666667788888888888877", 600, 1, 4, "edge"),
    PlaceKindRow("scenic", "445543212", (8, 18), "000000001344433442000000",
                 (8, 18), "000000003789888974000000", 150, 1, 2, "edge"),
    PlaceKindRow("bank-vip", "942301002", (9, 17), "000000000698568850000000",
                 (9, 16), "000000000355344400000000", 35, 3, 1, "centre"),
    PlaceKindRow("stock-hall", "423104006", (9, 16), "000000000899357600000000",
                 _NEVER, _SHUT, 180, 1, 1, "centre"),
    PlaceKindRow("insurance", "334303112", (9, 17), "000000000798357750000000",
                 (9, 16), "000000000222222200000000", 40, 2, 0, "centre"),
    PlaceKindRow("car-dealer", "725300001", (9, 18), "000000000344234443000000",
                 (9, 18), "000000000678789986000000", 60, 2, 1, "edge"),
    PlaceKindRow("filling-station", "625411310", _DAY, "111112479877778798654321",
                 _DAY, "111111256788877787543221", 8, 4, 0, "road"),
    PlaceKindRow("hotel", "911120100", _DAY, "999999876533333345678999",
                 _DAY, "999999987643333345678999", 600, 4, 1, "centre"),
    PlaceKindRow("resort", "533402012", _DAY, "555555555566666666666665",
                 _DAY, "888888888899999999999876", 900, 0, 1, "beyond"),
    PlaceKindRow("golf", "921200001", (7, 19), "000000023443344432100000",
                 (6, 19), "000000478998789985200000", 210, 0, 1, "beyond"),
    PlaceKindRow("gym", "364120000", (7, 23), "000000032111222223689740",
                 (8, 22), "000000002455345567864200", 80, 2, 0, "town"),
    PlaceKindRow("beauty-salon", "291204001", (10, 22), "000000000034444445678400",
                 (9, 22), "000000000366788999986300", 90, 5, 0, "town"),
    PlaceKindRow("hospital", "233334239", _DAY, "222222259998676643333222",
                 _DAY, "222222247875554443333222", 120, 2, 3, "town"),
    PlaceKindRow("sanatorium", "100300009", _DAY, "777777888999899999888777",
                 _DAY, "777777888999899999888777", 1440, 0, 1, "beyond"),
    PlaceKindRow("bar", "545140100", (18, 26), "630000000000000000235799",
                 (18, 26), "970000000000000000346899", 120, 3, 0, "centre"),
    PlaceKindRow("ktv", "535170200", (12, 26), "740000000000222222235899",
                 (12, 26), "960000000000345555557999", 150, 3, 0, "centre"),
    PlaceKindRow("cinema", "364281200", (10, 24), "000000000012333333568964",
                 (9, 24), "000000000246666777889975", 130, 1, 1, "centre"),
    PlaceKindRow("net-cafe", "101092800", _DAY, "643322223344556677889998",
                 _DAY, "765443334455677888999999", 150, 6, 0, "town"),
    PlaceKindRow("bookshop", "244372002", (9, 21), "000000000223334445665000",
                 (9, 21), "000000000357888988754000", 50, 1, 1, "centre"),
    PlaceKindRow("supermarket", "264339545", (8, 22), "000000005775444568897400",
                 (8, 22), "000000005788767789987400", 40, 6, 1, "town"),
    PlaceKindRow("market", "042208547", (6, 19), "000000799864334689500000",
                 (6, 19), "000000799975445689500000", 30, 5, 0, "town"),
    PlaceKindRow("wholesale-market", "200004870", (6, 18), "000000589997666653000000",
                 (6, 18), "000000589998777653000000", 150, 1, 2, "edge"),
    PlaceKindRow("rural-fair", "000003294", (6, 15), "000000489997531000000000",
                 (6, 15), "000000589998642000000000", 120, 1, 0, "beyond"),
    PlaceKindRow("job-market", "001051930", (8, 17), "000000006998556540000000",
                 (8, 17), "000000008999667650000000", 100, 1, 1, "town"),
    PlaceKindRow("recruitment-site", "002172200", (8, 17), "000000003554445530000000",
                 (8, 17), "000000008998789970000000", 90, 1, 0, "town"),
    PlaceKindRow("exam-site", "003371000", _NEVER, _SHUT, (7, 18), "000000068999389986000000",
                 180, 1, 0, "town"),
    PlaceKindRow("dormitory", "000050910", _DAY, "999999952222322234578999",
                 _DAY, "999999987655555556677899", 600, 2, 1, "edge"),
    PlaceKindRow("conference-centre", "834510001", (8, 20), "000000005899689986310000",
                 (8, 20), "000000005799678985310000", 240, 1, 2, "centre"),
    PlaceKindRow("government-office", "314911112", (8, 18), "000000007997278985000000",
                 _NEVER, _SHUT, 240, 2, 2, "centre"),
    PlaceKindRow("coach-station", "203244862", (5, 22), "000001478998777788743200",
                 (5, 22), "000001589999888899754200", 40, 1, 1, "edge"),
    PlaceKindRow("bus-stop", "156565656", (5, 23), "000001599754544579864210",
                 (5, 23), "000001366777667788765210", 8, 20, 0, "town"),
    PlaceKindRow("park", "242348319", (5, 22), "000002789764334568874200",
                 (5, 22), "000002799987667889875300", 70, 2, 1, "town"),
    PlaceKindRow("senior-centre", "000001009", (8, 18), "000000006998257884000000",
                 (8, 18), "000000004776246773000000", 150, 3, 0, "town"),
)
# fmt: on
"""All kinds. Resorts, golf courses, sanatoria and airports have 0 for 100,000 inhabitants: a city has one."""

KIND_INDEX: Final[dict[str, int]] = {row.name: index for index, row in enumerate(PLACE_KINDS)}
"""Row of `PLACE_KINDS` by name."""

KIND_NAMES: Final[tuple[str, ...]] = get_args(PlaceKind)
