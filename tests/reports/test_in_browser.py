"""Every kind's page in a real browser: on a phone, on a tablet, on a desk, on paper, without colour."""

import os
import re
import shutil
import subprocess
from itertools import combinations

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.browser

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WIDTHS = (360, 768, 1280)
PAPER_PX = 688
"""A4 between the margins that the pages ask for, CSS pixels."""
PAGES = (1, 40)

LOOKED = """() => {
  const corners = (node) => {
    const box = node.getBBox(), m = node.getScreenCTM();
    // What is between the lines of a font is not ink.
    const [top, bottom] = [box.y + 0.22 * box.height, box.y + 0.82 * box.height];
    return [[box.x, top], [box.x + box.width, top], [box.x + box.width, bottom], [box.x, bottom]]
      .map(([x, y]) => [m.a * x + m.c * y + m.e, m.b * x + m.d * y + m.f]);
  };
  return [...document.querySelectorAll("svg")].map((svg) => ({
    name: svg.getAttribute("aria-labelledby"), role: svg.getAttribute("role"),
    said: [...svg.querySelectorAll(":scope > title, :scope > desc")].map((node) => node.textContent),
    box: (({left, top, right, bottom}) => [left, top, right, bottom])(svg.getBoundingClientRect()),
    texts: [...svg.querySelectorAll("text")].filter((node) => node.textContent.trim()).map((node) => ({
      said: node.textContent.trim().replace(/\\s+/g, " "), corners: corners(node),
      size: parseFloat(getComputedStyle(node).fontSize)
        * Math.hypot(node.getScreenCTM().a, node.getScreenCTM().b),
    })),
  }));
}"""
CONTRASTS = """() => {
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  // In a figure the shape that was drawn last below the middle of the letters, where there is one.
  const below = (node) => {
    if (!node.ownerSVGElement) return null;
    const at = node.getBoundingClientRect(), x = at.x + at.width / 2, y = at.y + at.height / 2;
    let last = null;
    for (const one of node.ownerSVGElement.querySelectorAll("path, rect, use")) {
      if (one === node || node.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) continue;
      const box = one.getBoundingClientRect(), drawn = getComputedStyle(one), fill = drawn.fill;
      if (one.closest("defs") || fill === "none" || fill.startsWith("url")) continue;
      if (box.left <= x && x <= box.right && box.top <= y && y <= box.bottom) {
        const share = parseFloat(drawn.fillOpacity) * parseFloat(drawn.opacity);  // of paper shines through
        last = rgb(fill).slice(0, 3).map((v) => share * v + (1 - share) * 255);
      }
    }
    return last;
  };
  const behind = (node) => {
    const shape = below(node);
    if (shape) return shape;
    for (; node; node = node.parentElement) {
      const found = rgb(getComputedStyle(node).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const style = getComputedStyle(node);
    if (own && !["TITLE", "DESC", "title", "desc", "STYLE", "style"].includes(node.tagName)) {
      const ink = rgb(node.ownerSVGElement ? style.fill : style.color);
      found.push({
        what: "text", said: node.textContent.trim().slice(0, 40),
        contrast: contrast(light(ink), light(behind(node))),
      });
    }
    // Lines that carry figures are drawn wider than the grid and the axes.
    if (node.tagName === "path" && node.ownerSVGElement && !node.closest("defs") && style.stroke !== "none"
        && parseFloat(style.strokeWidth) >= 1.3 && parseFloat(style.strokeOpacity) === 1)
      found.push({
        what: "line", said: node.closest("svg").getAttribute("aria-labelledby"),
        contrast: contrast(light(rgb(style.stroke)), 1),
      });
  }
  return found;
}"""
HOLLOW = """() => {
  // A letter that no font has is drawn as one that cannot be there.
  const canvas = document.createElement("canvas"); canvas.width = canvas.height = 32;
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const drawn = (letter, font) => {
    pen.clearRect(0, 0, 32, 32); pen.font = font; pen.fillText(letter, 2, 24);
    return pen.getImageData(0, 0, 32, 32).data.join();
  };
  const hollow = new Set();
  for (const [selector, family] of [["body", "fontFamily"], ["svg text", "fontFamily"]]) {
    const node = document.querySelector(selector);
    if (!node) continue;
    const font = `20px ${getComputedStyle(node)[family]}`, none = drawn("\\u0378", font);
    const said = [...document.querySelectorAll(selector)].map((one) => one.textContent).join("");
    for (const letter of new Set(said)) if (letter.trim() && drawn(letter, font) === none) hollow.add(letter);
  }
  return [...hollow].join("");
}"""
OUTLINE = """() => {
  const all = (what) => [...document.querySelectorAll(what)];
  return {
  headings: all("h1, h2, h3, h4, h5, h6").map((node) => Number(node.tagName[1])),
  heads: all("th").filter((node) => !["col", "row"].includes(node.scope)).map((node) => node.textContent),
  bare: all("table").filter((node) => !node.querySelector("th[scope]")).length,
  images: all("img").filter((node) => !node.alt).length,
  links: all("[href], [src]").map((node) => node.getAttribute("href") || node.getAttribute("src"))
    .filter((to) => to && !to.startsWith("#")),
  twice: all("[id]").map((node) => node.id).filter((id, place, ids) => ids.indexOf(id) !== place),
  };
}"""


def chinese_fonts():
    """Families that hold Chinese, as fontconfig knows them."""
    try:
        return subprocess.run(
            ["fc-list", ":lang=zh", "family"], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""


@pytest.fixture(scope="module")
def browser():
    path = os.environ.get("KAIROS_CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is installed (Debian: chromium)")
    with playwright.sync_playwright() as started:
        try:
            opened = started.chromium.launch(executable_path=path)
        except playwright.Error as error:
            pytest.skip(f"{path} does not start here: {str(error).splitlines()[0]}")
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def opened(browser, page_of):
    """A page in a tab, opened once, and what it complained of or asked for."""
    tabs = {}

    def open_page(name, language):
        if (name, language) not in tabs:
            address = page_of(name, language).as_uri()
            tab, told = browser.new_page(viewport={"width": WIDTHS[-1], "height": 900}), []
            tab.on("console", lambda message: told.append(f"console: {message.text}"))
            tab.on("pageerror", lambda error: told.append(f"error: {error}"))
            tab.on(
                "request", lambda asked: told.append(f"fetches {asked.url}") if asked.url != address else None
            )
            tab.goto(address)
            tabs[name, language] = tab, told
        return tabs[name, language]

    return open_page


def apart(one, other):
    """Whether two rectangles, turned or not, do not touch (separating axes)."""
    for corners in (one, other):
        for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
            nx, ny = ay - by, bx - ax
            first, second = ([nx * x + ny * y for x, y in box] for box in (one, other))
            if max(first) <= min(second) or max(second) <= min(first):
                return True
    return False


def wrong_with_figures(figures):
    """What of the letters of figures lies upon each other, is cut off, or is too small to read."""
    for figure in figures:
        name, texts = figure["name"], figure["texts"]
        left, top, right, bottom = figure["box"]
        for one, other in combinations(texts, 2):
            if not apart(one["corners"], other["corners"]):
                yield f"{name}: {one['said']!r} lies on {other['said']!r}"
        for text in texts:
            xs, ys = zip(*text["corners"], strict=True)
            if min(xs) < left - 1 or max(xs) > right + 1 or min(ys) < top - 1 or max(ys) > bottom + 1:
                yield f"{name}: {text['said']!r} is cut off: {text['corners']} of {figure['box']}"
            if text["size"] < 7.0:
                yield f"{name}: {text['said']!r} is {text['size']:.1f} px high"


def test_a_page_on_every_screen(opened, page_name, language):
    tab, told = opened(page_name, language)
    wrong = []
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        across = tab.evaluate("document.documentElement.scrollWidth")
        if across > width:
            wrong.append(f"{across} px wide on a screen of {width}")
        if width == WIDTHS[0]:  # figures scale as they are: the smallest shows it
            wrong += wrong_with_figures(tab.evaluate(LOOKED))
    assert wrong == []
    assert told == []


def test_a_page_on_paper(opened, page_name, language):
    tab, _ = opened(page_name, language)
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": PAPER_PX, "height": 900})
    across = tab.evaluate("document.documentElement.scrollWidth")
    tab.emulate_media(media="screen")
    assert across <= PAPER_PX
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", tab.pdf(prefer_css_page_size=True)))
    assert PAGES[0] <= pages <= PAGES[1]


def test_a_page_without_colour(opened, page_name, language):
    tab, _ = opened(page_name, language)
    found = tab.evaluate(CONTRASTS)
    texts = [row for row in found if row["what"] == "text"]
    assert len(texts) > 40
    # WCAG 1.4.3 for texts, 1.4.11 for what carries meaning beside.
    faint = [row for row in found if row["contrast"] < (4.5 if row["what"] == "text" else 3.0) - 0.005]
    assert faint == []


def test_a_page_for_those_who_do_not_see_it(opened, page_name, language):
    tab, _ = opened(page_name, language)
    found = tab.evaluate(OUTLINE)
    assert found["headings"][0] == 1
    assert found["headings"].count(1) == 1
    assert all(
        below - above <= 1 for above, below in zip(found["headings"], found["headings"][1:], strict=False)
    )
    assert (found["heads"], found["bare"], found["images"]) == ([], 0, 0)
    assert (found["links"], found["twice"]) == ([], [])
    for figure in tab.evaluate(LOOKED):
        assert figure["role"] == "img"
        assert figure["said"]
        assert all(figure["said"])


def test_every_letter_has_a_font(opened, page_name, language):
    if language == "zh" and not chinese_fonts():
        pytest.skip("no font with Chinese is installed (Debian: fonts-wqy-microhei)")
    tab, _ = opened(page_name, language)
    assert tab.evaluate(HOLLOW) == ""


def test_the_tests_see_what_is_wrong(browser):
    """A page with every fault: it overflows, its letters lie on each other, are faint, and have no font."""
    tab = browser.new_page(viewport={"width": 360, "height": 900})
    tab.set_content(
        "<main><h1>a</h1><h3>b</h3><div style='width:900px;color:#aaa'>faint \U0003ffff</div>"
        "<table><tr><th>x</th></tr></table>"
        "<svg role='img' aria-labelledby='t' viewBox='0 0 100 100' width='100'><title id='t'>t</title>"
        "<text x='10' y='50' style='font-size:6px'>one</text><text x='12' y='51'>other</text>"
        "<text x='95' y='20'>cut off</text>"
        "<path d='M0 0 L9 9' style='stroke:#eee;stroke-width:2px'/></svg></main>"
    )
    assert tab.evaluate("document.documentElement.scrollWidth") > 360
    said = " ".join(wrong_with_figures(tab.evaluate(LOOKED)))
    assert "'one' lies on 'other'" in said
    assert "'cut off' is cut off" in said
    assert "'one' is 6.0 px high" in said
    faint = {row["what"] for row in tab.evaluate(CONTRASTS) if row["contrast"] < 3}
    assert faint == {"text", "line"}
    found = tab.evaluate(OUTLINE)
    assert found["headings"] == [1, 3]
    assert found["heads"] == ["x"]
    assert "\U0003ffff" in tab.evaluate(HOLLOW)
    tab.close()
