"""Readable on a phone, in the dark, and by a screen reader; and only files of the service itself are run."""

from __future__ import annotations

import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]

WIDE, PHONE, SMALL = (1280, 900), (390, 844), (320, 640)


@pytest.fixture
def shown(open_page, service, work):
    """Opens the dashboard of a service that has decided something."""

    def show(size, scheme="light"):
        assert work.submit(abs, -1, pure=False).result(SLOW) == 1
        page = open_page(service.url(), viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        page.wait_for_selector("#connection[data-state=live]")
        page.wait_for_selector("#decisions .chain")
        return page

    return show


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_axe_finds_no_barrier(shown, size, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # Its script comes in by the debugger, which the page's own policy does not bind.
    found = axe.run(shown(size, scheme)).response["violations"]
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


@pytest.mark.parametrize("size", [WIDE, PHONE, SMALL])
def test_nothing_is_wider_than_the_screen(shown, size):
    page = shown(size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_the_charts_take_the_colours_of_the_dark_when_it_comes(shown):
    page = shown(WIDE)
    of_axis = "() => Bokeh.documents.at(-1).roots()[0].below[0].major_label_text_color"
    light = page.evaluate(of_axis)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"light => ({of_axis})() !== light", arg=light)


def test_landmarks_and_headings(shown):
    page = shown(WIDE)
    for role in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(role)).to_have_count(1)
    names = page.get_by_role("heading", level=2).all_inner_texts()
    assert names == ["Workers", "Control", "Decisions", "Load and queue", "Cost so far", "Each worker"]
    assert page.locator("#latest").get_attribute("aria-live") == "polite"


def test_nothing_inline_and_nothing_evaluated(shown, open_page):
    page = shown(WIDE)
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        " document.body.appendChild(script); const style = document.createElement('style');"
        " style.textContent = 'body { opacity: 0.5 }'; document.head.appendChild(style);"
        " setTimeout('window.ran = 2', 0); return new Promise((done) => setTimeout(done, 50)); }"
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.body).opacity") == "1"
    refused = [each for each in open_page.faults if "Content Security Policy" in each]
    assert len(refused) >= 3
    open_page.faults[:] = [each for each in open_page.faults if each not in refused]


def test_names_are_text_and_never_markup(shown):
    page = shown(WIDE)
    said = page.evaluate(
        "import('/assets/elements.js').then(({ element }) => element('p', {}, '<img src=x onerror=alert(1)>').innerHTML)"
    )
    assert said.startswith("&lt;img")


def test_events_are_read_wherever_they_are_cut(shown):
    page = shown(WIDE)
    text = ': nothing new\\n\\nid: a-1\\nevent: record\\ndata: {\\"n\\":1}\\n\\nevent: status\\r\\ndata: x\\r\\ndata: y\\r\\n\\r\\n'
    read = page.evaluate(
        "import('/assets/events.js').then(({ takeEvents }) => { const text = \""
        + text
        + '"; const found = new Set();'
        " for (let cut = 0; cut <= text.length; cut += 1) { const [first, rest] = takeEvents(text.slice(0, cut));"
        " const [second, left] = takeEvents(rest + text.slice(cut)); found.add(JSON.stringify([...first, ...second, left])); }"
        " return [...found]; })"
    )
    assert read == [
        '[{"type":"record","data":"{\\"n\\":1}","id":"a-1"},{"type":"status","data":"x\\ny","id":null},""]'
    ]
