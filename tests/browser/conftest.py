"""A real server and a real Chromium. Where there is no Chromium the tests are skipped, but never in CI."""

import os
import shutil

import pytest
from prefloop.collect import Argilla
from prefloop.collect.embedded import start_server, stop_server

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def argilla(tmp_path_factory):
    folder = tmp_path_factory.mktemp("argilla")
    yield start_server(folder)
    stop_server(folder)


@pytest.fixture(scope="session")
def owner(argilla):
    with Argilla(argilla.url, argilla.api_key) as connection:
        yield connection


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("there is no Chromium on this machine")
    assert found, "CI must have a Chromium: a skipped browser test would hide a broken page"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield context.new_page()
    context.close()
