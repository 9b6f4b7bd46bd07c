"""A real browser on a real daemon: every page it opens must be free of errors, and its pictures are kept."""

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

import bananasd
from bananasd import Client
from tests import npm
from tests.daemon import Daemon, MakeDaemon
from tests.sentinels import free_port
from tests.systemd.surroundings import require

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = "BANANASD_SCREENSHOTS"
"""The directory for pictures; without it they lie among pytest's temporary files."""

WAIT_MS = 15_000
PHONE = {"width": 320, "height": 640}
TOAST_MS = re.search(
    r"TOAST_MS = (\d+);", (Path(bananasd.__file__).parent / "http/static/app.js").read_text()
)[1]
LASTING_TOASTS = f"""
    const soon = window.setTimeout;
    window.setTimeout = (call, ms, ...given) => soon(call, ms === {TOAST_MS} ? 1e9 : ms, ...given);
"""
"""What is said of an action stays until a test has looked, be it ever so late."""

OUTAGE = re.compile(r"Failed to load resource|net::ERR_")
"""What a browser says of a server that is away, or answers with an error: nothing of ours."""


class Windows:
    """Windows of a browser, kept for the next test that wants one of the same kind: for a new one processes are started."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._kept: dict[str, list[Page]] = defaultdict(list)

    def take(self, options: Mapping[str, Any]) -> Page:
        """One that shows nothing and remembers nothing."""
        kept = self._kept[repr(options)]
        return kept.pop() if kept else self._open(options)

    def _open(self, options: Mapping[str, Any]) -> Page:
        context = self._browser.new_context(**options)
        context.set_default_timeout(WAIT_MS)
        context.add_init_script(LASTING_TOASTS)
        return context.new_page()

    def give_back(self, page: Page, options: Mapping[str, Any]) -> None:
        """Let it forget everything; one that cannot is closed."""
        try:
            page.unroute_all(behavior="ignoreErrors")
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            page.context.clear_cookies()
            page.goto("about:blank")
        except Error:
            page.context.close()
        else:
            self._kept[repr(options)].append(page)


class Look:
    """Opens pages of a dashboard, and keeps what was wrong with them."""

    def __init__(self, windows: Windows, screenshots: Path) -> None:
        self._windows = windows
        self._screenshots = screenshots
        self._open: list[tuple[Page, Mapping[str, Any], Mapping[str, Any]]] = []
        self.faults: list[str] = []

    def at(self, url: str, *, is_dark: bool = False, **options: Any) -> Page:
        """A page, in a window of its own."""
        options = {
            "viewport": {"width": 1280, "height": 800},
            "color_scheme": "dark" if is_dark else "light",
            "reduced_motion": "reduce",
            **options,
        }
        page = self._windows.take(options)
        listeners = {
            "pageerror": lambda error: self.faults.append(f"error: {error}"),
            "console": self._note,
            "request": lambda request: self._note_request(request, url),
            "dialog": self._note_dialog,
        }
        for event, listener in listeners.items():
            page.on(event, listener)
        self._open.append((page, options, listeners))
        page.goto(url)
        return page

    def keep(self, page: Page, name: str) -> None:
        """A picture of the whole page."""
        page.screenshot(path=self._screenshots / f"{name}.png", full_page=True)

    def close(self) -> None:
        """Close every page."""
        for page, options, listeners in self._open:
            self._windows.give_back(page, options)
            for event, listener in listeners.items():
                page.remove_listener(event, listener)

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning") and not OUTAGE.search(message.text):
            self.faults.append(f"{message.type}: {message.text}")

    def _note_dialog(self, dialog: Any) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_request(self, request: Any, url: str) -> None:
        if not request.url.startswith(url.partition("#")[0].rstrip("/") + "/"):
            self.faults.append(f"asked elsewhere: {request.url}")


# Not for the session: it has a running event loop, and other tests of this process want to run their own.
@pytest.fixture(scope="module")
def windows() -> Iterator[Windows]:
    """Those of the system's chromium."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    require(program is not None, "it needs chromium")
    # As root there is no sandbox.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield Windows(browser)
        browser.close()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures are kept."""
    directory = Path(os.environ.get(SCREENSHOTS) or tmp_path_factory.mktemp("screenshots"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def look(windows: Windows, screenshots: Path) -> Iterator[Look]:
    """Opens pages; after the test none of them may have had a fault."""
    expect.set_options(timeout=WAIT_MS)
    look = Look(windows, screenshots)
    yield look
    look.close()
    assert look.faults == []


NASTY = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'`${1}{{2}}&lt;"
"""A name, and whatever else a job brings, that would like to be more than text."""

HANDLERS = """
    @handler("brew_coffee", max_retries=0)
    def brew(job):
        job.set_progress(1, 4, "grinding")
        while not os.path.exists(job.payload["go"]):
            time.sleep(0.01)
        if os.path.exists(job.payload["fail"]):
            raise ValueError("no water in the tank")
        return {"cups": 2}

    @handler("fail", max_retries=0)
    def fail(job):
        raise ValueError(job.payload["why"])

    @handler(NASTY, max_retries=0)
    def nasty(job):
        raise ValueError(NASTY)
"""
HANDLERS = f"    NASTY = {NASTY!r}\n{HANDLERS}"


@pytest.fixture
def start(make_daemon: MakeDaemon) -> Callable[..., Daemon]:
    """Starts a daemon with a dashboard; its address is the daemon's ``page``."""

    def start(redis_url: str = "embedded", **http: Any) -> Daemon:
        settings = {"http": {"listen": f"127.0.0.1:{free_port()}", **http}}
        daemon = make_daemon(HANDLERS, redis_url=redis_url, settings=settings)
        daemon.page = f"http://{settings['http']['listen']}/"
        return daemon.start()

    return start


@pytest.fixture
def daemon(start: Callable[..., Daemon]) -> Daemon:
    return start()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with daemon.client() as client:
        yield client


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Page], list[str]]:
    """The serious and critical faults that axe-core finds on a page."""
    folder = npm.install(tmp_path_factory.mktemp("axe"), "axe-core@4")
    source = (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()

    def run(page: Page) -> list[str]:
        page.evaluate(source)
        violations = page.evaluate("axe.run().then((results) => results.violations)")
        return [
            f"{fault['impact']} {fault['id']}: {node['html'][:120]}"
            for fault in violations
            for node in fault["nodes"]
            if fault["impact"] in ("serious", "critical")
        ]

    return run


def open_page(page: Page, name: str) -> None:
    """By its link at the top."""
    page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


def tile(page: Page, name: str) -> Any:
    """The number of a tile of the overview."""
    return page.locator(".tile", has_text=name).locator(".number")


def heading(page: Page, words: str) -> Any:
    """What the page is called."""
    return page.get_by_role("heading", level=1, name=words)


def confirm(page: Page, words: str) -> None:
    """Answer the question that is asked."""
    page.get_by_role("dialog").get_by_role("button", name=words).click()
