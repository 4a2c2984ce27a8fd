"""The dashboard shows what happens while it happens, without being loaded again."""

from __future__ import annotations

import re
import time

import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]


def figure(page, term):
    """The number above a term."""
    return page.locator("#figures div", has=page.locator("dt", has_text=term)).locator("dd")


@pytest.fixture
def long_work(work, tmp_path):
    """Many tasks that last until they are let go; gives what lets them go, and waits for their end."""
    go = tmp_path / "go"

    def wait_for(path):  # in here it goes to the workers as it is, and not by a name that they do not know
        while not path.exists():
            time.sleep(0.05)

    futures = work.map(wait_for, [go] * 60, pure=False)

    def let_go():
        go.touch()
        work.gather(futures)
        futures.clear()

    yield let_go
    let_go()


def test_growth_and_what_comes_after_it(page, long_work):
    expect(figure(page, "limits")).to_have_text("0 to 3")
    expect(figure(page, "target")).to_have_text("3")
    expect(figure(page, "busy")).not_to_have_text("0")
    expect(page.locator("#load-figures")).to_contain_text("with a worker")
    expect(page.locator("#workers tr")).to_have_count(3)
    expect(page.locator("#workers .is-busy").first).to_be_visible()
    expect(page.locator("#workers-chart")).to_have_attribute("aria-label", re.compile("target 3"))
    long_work()
    expect(figure(page, "target")).to_have_text("0")
    expect(page.locator("#workers")).to_contain_text("There are none.")
    expect(page).to_have_title("0 workers · default · trio-adaptive")


def test_decisions_come_in_words_with_their_reasons(page, work):
    future = work.submit(abs, -1, pure=False)
    first = page.locator("#decisions > li", has_text="launching 1").first
    expect(first).to_contain_text("asked for by the load")
    expect(first.get_by_role("list", name="Chain of reasons")).to_be_visible()
    expect(page.locator("#latest")).not_to_be_empty()  # what a screen reader says
    assert future.result(SLOW) == 1


def test_the_past_is_there_when_the_page_is_opened(page, work):
    assert work.submit(abs, -2, pure=False).result(SLOW) == 2
    page.reload()
    expect(page.locator("#decisions > li", has_text="launching").first).to_be_visible()
    points = page.evaluate(
        "import('/assets/history.js').then(async ({ History }) => {"
        " const { ask } = await import('/assets/api.js'); const history = new History();"
        " const status = await ask('clusters/default');"
        " history.addRecords((await ask('clusters/default/records?limit=1000&all=true')).records, status);"
        " return history.points.map((each) => [each.time, each.target]); })"
    )
    times = [at for at, _ in points]
    assert times == sorted(times)
    assert max(target for _, target in points) >= 1


def test_the_charts_are_drawn(page, long_work):
    expect(figure(page, "busy")).not_to_have_text("0")
    long_work()
    painted = (
        "() => [...document.querySelectorAll('.chart')].map((chart) => { const seen = [];"
        " const walk = (node) => { if (node.tagName === 'CANVAS') seen.push(node);"
        " for (const child of [...node.children, ...(node.shadowRoot?.children ?? [])]) walk(child); }; walk(chart);"
        " return new Set(seen.flatMap((canvas) => { const { width, height } = canvas; if (!width || !height) return [];"
        " const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;"
        " const found = []; for (let at = 0; at < data.length; at += 4) found.push(data.slice(at, at + 4).join());"
        " return [...new Set(found)]; })).size; })"
    )
    colours = page.evaluate(painted)
    assert len(colours) == 2
    assert min(colours) > 5


def test_what_it_cost_is_divided(page, work):
    assert work.submit(time.sleep, 0.5, pure=False).result(SLOW) is None
    expect(page.locator("#cost-legend")).to_contain_text("useful")
    widths = page.locator("#cost-bar > div").evaluate_all(
        "parts => parts.map((part) => parseFloat(part.style.width))"
    )
    assert sum(widths) == pytest.approx(100)


def test_a_service_that_goes_is_missed_and_found_again(start, open_page):
    first = start("up", *("--maximum", "1", "--plain", "--no-dashboard"), "--listen", "127.0.0.1:0")
    url = first.url()
    page = open_page(url)
    page.wait_for_selector("#connection[data-state=live]")
    first.kill_all()
    page.wait_for_selector("#connection[data-state=lost]")
    second = start(
        "up", "--maximum", "2", "--plain", "--no-dashboard", "--listen", url.removeprefix("http://")
    )
    second.url()
    page.wait_for_selector("#connection[data-state=live]")
    expect(figure(page, "limits")).to_have_text("0 to 2")
    # A browser notes each request that a killed service leaves unanswered, or in the middle of its answer; the one
    # after it has no cluster yet. A script that cannot cope with that would be noted otherwise.
    noted = "Failed to load resource"
    open_page.faults[:] = [each for each in open_page.faults if not each.startswith(noted)]
