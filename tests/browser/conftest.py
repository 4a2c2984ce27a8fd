"""A real service with a real scheduler, and a real Chromium that looks at its dashboard."""

from __future__ import annotations

import httpx
import pytest
from debian_packages import program, require
from distributed import Client
from service_process import SLOW, services

QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

OPTIONS = ("--maximum", "3", "--idle-timeout", "1s", "--no-dashboard", "--plain")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Starts services, which end with the tests of a file."""
    with services(tmp_path_factory.mktemp("service")) as starting:
        yield starting


@pytest.fixture(scope="module")
def service(start):
    """One that all tests of a file share; each puts back what it changes."""
    one = start("up", *OPTIONS, "--listen", "127.0.0.1:0")
    one.url()
    return one


@pytest.fixture
def work(service):
    """A client of its scheduler."""
    with Client(service.address(), set_as_default=False) as client:
        yield client


@pytest.fixture
def api(service):
    """A client of its API, to see what the page has done."""
    with httpx.Client(
        base_url=f"{service.url()}/api/v1/clusters/default", timeout=SLOW, follow_redirects=True
    ) as client:
        yield client


@pytest.fixture(
    scope="module"
)  # while it lasts, Playwright's event loop lets no other one run in this thread
def browser():
    require(["chromium"])
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=program("chromium"), args=list(QUIETLY))
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Opens pages; at the end none may have found fault with anything, or have asked another place for something."""
    faults, places, contexts = [], set(), []

    def opened(url, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(SLOW * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None
        )
        page.on("request", lambda request: places.add(request.url.split("/")[2]))
        page.goto(url)
        return page

    opened.faults = faults
    yield opened
    for context in contexts:
        context.close()
    assert faults == []
    assert len(places) <= 1


@pytest.fixture
def page(open_page, service):
    """The dashboard of the shared service, once it is live."""
    shown = open_page(service.url())
    shown.wait_for_selector("#connection[data-state=live]")
    return shown
