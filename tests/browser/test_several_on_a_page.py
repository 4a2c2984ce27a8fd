"""Several clusters on one page: a choice between them, which a link may make, and each commanded by itself."""

from __future__ import annotations

import httpx
import pytest
from service_process import SLOW

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=SLOW * 1000)

pytestmark = [pytest.mark.service, pytest.mark.integration]

TWO = """
[service]
listen = "127.0.0.1:0"
[adaptive]
maximum = 1
shadow = ["fixed:5"]
[clusters.blue]
dashboard_address = false
[clusters.night-shift]
dashboard_address = false
"""


@pytest.fixture(scope="module")
def url(start, tmp_path_factory):
    file = tmp_path_factory.mktemp("several") / "service.toml"
    file.write_text(TWO)
    running = start("up", str(file), "--plain")
    url = running.url()
    running.until(lambda: httpx.get(f"{url}/readyz").is_success, "both clusters")
    return url


@pytest.fixture
def page(open_page, url):
    page = open_page(url)
    page.wait_for_selector("#connection[data-state=live]")
    return page


def held(url, name):
    return httpx.get(f"{url}/api/v1/clusters/{name}").raise_for_status().json()["hold"]


def test_one_is_chosen_and_commanded(page, url):
    choice = page.get_by_label("Cluster")
    assert set(choice.locator("option").all_inner_texts()) == {"blue", "night-shift"}
    choice.select_option("night-shift")
    expect(page).to_have_title("0 workers · night-shift · trio-adaptive")
    page.get_by_label("Hold at").fill("0")
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.locator("#notices")).to_contain_text("Held at 0")
    assert held(url, "night-shift")["n"] == 0
    assert held(url, "blue") is None
    choice.select_option("blue")
    expect(page.locator("#notices li")).to_have_count(0)
    choice.select_option("night-shift")
    page.get_by_role("button", name="Let go").click()
    expect(page.locator("#notices li")).to_have_count(0)


def test_a_link_leads_to_one(open_page, url):
    page = open_page(f"{url}/#night-shift")
    expect(page).to_have_title("0 workers · night-shift · trio-adaptive")
    page.get_by_label("Cluster").select_option("blue")
    page.reload()
    expect(page).to_have_title("0 workers · blue · trio-adaptive")


def test_policies_that_only_advise_are_compared(page):
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="fixed:5"))
    expect(row).to_contain_text("worker-s")
    expect(row.get_by_role("cell").first).to_have_text("1")  # within the same maximum


def test_one_scrape_has_them_all(url):
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    for name in ("blue", "night-shift"):
        assert f'trio_adaptive_maximum_workers{{cluster="{name}"}} 1.0' in text
