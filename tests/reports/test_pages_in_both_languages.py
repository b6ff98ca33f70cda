"""Every kind's page in English and Chinese: texts from catalogues, none left in English."""

import json
import re
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import pytest

import reports
from experiments.study_kinds import kinds
from reports.compared import module_of
from reports.language import Words, catalogue, catalogues

NAMES = {
    "python", "kairos", "testbed", "numpy", "simpy", "pyarrow", "pydantic", "networkx", "sqlalchemy",
    "matplotlib", "uvicorn", "httpx", "usrsctp", "libusrsctp", "pysctp", "modprobe", "sctp", "exp", "sim",
    "subscribers", "usage", "segments", "max", "seed", "rerun", "arXiv", "postgresql", "class", "data",
    "hdrhistogram", "fsync",
}  # fmt: skip
"""Libraries, programs, modules and signs that a Chinese page may name in small letters."""
CODES = re.compile(r"10086\d*|\d{11,}|4666|9260|6951|4097|4098|4099|4100|4112|0+")
"""Numbers that are names: of lines, senders and subscribers, of RFCs, of the town's location areas."""
WORLDS = Path(__file__).parents[2] / "scenarios" / "worlds"
NAMES |= {part for world in WORLDS.glob("*.yaml") for part in world.stem.split("-")}
CITED = re.compile(
    r"[A-Z][^：；。]*?(?:\(\d{4}\)|\d{4})(?:\s?\([^)]*\))?|Technology Review|Physics|Nature|arXiv"
)
VOID = {"meta", "link", "br", "img", "hr", "input", "path", "use", "rect", "circle"}


class Texts(HTMLParser):
    """What is read on a page: without code, styles, and what is said to be in another language."""

    def __init__(self):
        super().__init__()
        self.language, self.texts, self._stack = None, [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "html":
            self.language = found.get("lang")
        silent = tag in ("style", "code", "pre") or (tag != "html" and "lang" in found)
        if tag not in VOID:
            self._stack.append((tag, silent))

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        while self._stack:
            if self._stack.pop()[0] == tag:
                break

    def handle_data(self, text):
        own = [tag for tag, _ in self._stack][-2:] == ["head", "title"]  # the study's name
        if text.strip() and not own and not any(silent for _, silent in self._stack):
            self.texts.append(" ".join(text.split()))


def texts_of(page):
    read = Texts()
    read.feed(page.read_text(encoding="utf-8"))
    return read


def english_in(text):
    """Words of small Latin letters that are no names, units or numbers."""
    words = re.findall(r"(?<![\w.\-/])[a-z][a-z']{2,}(?![\w/]|\.[a-z])", CITED.sub("", text))
    return [word for word in words if word not in NAMES]


def test_every_kind_of_study_has_an_example(request):
    examples = {entry.name for entry in (Path(__file__).parent / "runs").iterdir()} | {"end-to-end"}
    lacking = sorted(set(kinds()) - examples)
    assert not lacking, f"commit a small run of {', '.join(lacking)} as tests/reports/runs/KIND/"


def test_a_page_says_everything_in_its_language(page_of, kind, language):
    read = texts_of(page_of(kind, language))
    assert read.language == {"en": "en", "zh": "zh-CN"}[language]
    assert len(read.texts) > 40
    chinese = [text for text in read.texts if re.search(r"[\u3400-\u9fff]", text)]
    if language == "en":
        assert chinese == []
    else:
        assert len(chinese) > 40
        left = {text: words for text in read.texts if (words := english_in(text))}
        assert left == {}


def test_a_comparison_says_everything_in_its_language(page_of, language):
    read = texts_of(page_of("comparison", language))
    left = {text: words for text in read.texts if (words := english_in(text))}
    assert (left == {}) is (language == "zh")


def test_only_words_of_users_are_marked_as_another_language(page_of, kind):
    """Programs' sentences of the examples are all in the catalogues: none falls back to English."""
    text = page_of(kind, "zh").read_text(encoding="utf-8")
    marked = set(re.findall(r'<span lang="en">([^<]*)</span>', text))
    folder = Path(__file__).parent / "runs" / kind
    if folder.exists():
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        marked -= {summary.get("title"), summary["study"]}
        marked -= {one["title"] for one in summary.get("question", {}).get("campaigns", [])}
        marked -= {text for one in summary.get("reported", []) for text in one.values()}
    else:
        marked = {one for one in marked if "moment" not in one and "Hang-up" not in one}
    assert marked == set()


def test_the_english_page_leaves_no_code_unsaid(page_of, kind):
    """Words of the records have names: no `snake_case` is read on a page outside of code."""
    texts = texts_of(page_of(kind, "en")).texts
    assert [text for text in texts if re.search(r"\b[a-z]+_[a-z_]+\b", text)] == []


YEARS = re.compile(r"(19|20)\d\d")
SEVERAL = re.compile(
    r"(?<![\w.,–−\-\u00a0/%])1 (triggers|messages|phases|contacts|people|days|cases|runs|probes|workers|"
    r"processors|subscribers|take-ups|violations|replays|cells|worlds|checks|values|campaigns|restarts|observations)\b"
)


def test_large_numbers_have_their_thousands_apart(page_of, page_name, language):
    """But for years, and for what only looks like a number: hashes, versions, names of runs, short codes."""
    left = {
        text: bare
        for text in texts_of(page_of(page_name, language)).texts
        if (
            bare := [
                number
                for number in re.findall(r"(?<![\w.,:/#–\-])\d{4,}(?![\w.:/\-]*[\w])", text)
                if not YEARS.fullmatch(number) and not CODES.fullmatch(number)
            ]
        )
    }
    assert left == {}


def test_one_thing_is_not_said_as_several(page_of, page_name):
    texts = texts_of(page_of(page_name, "en")).texts
    assert [text for text in texts if SEVERAL.search(text) or "(s)" in text] == []


SOURCES = [
    path
    for pattern in ("*.py", "templates/*.j2")
    for path in sorted(Path(reports.__file__).parent.glob(pattern))
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_keys_that_are_asked_for_are_there(source):
    page = source.name.split(".")[0]
    known = set(catalogue("common"))
    for name in [page] if page in catalogues() else catalogues():
        known |= set(catalogue(name))
    asked = set(re.findall(r'\b(?:t|words|own)\(\s*"([\w.-]+)"', source.read_text(encoding="utf-8")))
    # `"stage." ~ name`: the start of a key.
    assert {key for key in asked - known if not key.endswith(".")} == set()
    assert all(any(key.startswith(start) for key in known) for start in asked if start.endswith("."))


@pytest.mark.parametrize("page", [name for name in catalogues() if name != "common"])
def test_what_a_catalogue_says_in_both_languages_differs(page):
    """A Chinese text that is the English one was forgotten; signs, units and names may be the same."""
    same = [
        key
        for key, said in catalogue(page).items()
        if said["en"] == said["zh"] and re.search(r"[a-z]{4,}", re.sub(r"\{\w+\}", "", said["en"]))
    ]
    assert same == []


def test_a_sentence_of_a_program_is_said_in_chinese_with_its_values():
    words = Words("firewall", "zh")
    told = words.told("cap: 8613 from 10086: contact 3 in 2009-03, 2 allowed a calendar month", "said")
    assert told == "接触上限：8613 收到 10086：2009-03 中第 3 次接触，每个自然月允许 2 次"
    assert words.told("the moon was full", "said") is None
    assert Words("firewall", "en").told("the moon was full", "said") == "the moon was full"


def test_a_sentence_that_no_catalogue_knows_is_marked_as_english(run_of):
    run = run_of("realism")
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    summary |= {
        "valid": False,
        "invalid_reasons": ["jump_shape: 0.2 is outside 0 to 0.1", "the <moon> was full"],
    }
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    text = import_module(module_of("realism")).write_report(run, language="zh").read_text(encoding="utf-8")
    assert "步长分布形状：0.2 在区间 0 至 0.1 之外" in text
    assert '<span lang="en">the &lt;moon&gt; was full</span>' in text
