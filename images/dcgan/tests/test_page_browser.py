"""The page as a person sees it, in headless Chromium, at 360 and at 1440 pixels."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dcgan.page.app import Page
from page_stand_in import CPU, GPU, RunFolder, draw, picture, served, until

webdriver = pytest.importorskip("selenium.webdriver", reason="not run: selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="not run: chromium and chromium-driver are not installed"
)
WIDTHS = (360, 1440)

Browser = Any
Open = Callable[..., Browser]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield browser
    finally:
        browser.quit()


@pytest.fixture
def opened(chromium: Browser, run_folder: RunFolder) -> Iterator[Open]:
    """Open the page of the run at a width; in the end hold that the console stayed empty."""
    with served(Page(run_folder.path, draw=draw, period=0.1)) as address:

        def open_page(width: int = 1440, scheme: str = "light") -> Browser:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            chromium.get(address)
            assert until(lambda: text(chromium, "link") == "Live"), "no live updates"
            return chromium

        chromium.get_log("browser")
        yield open_page
        console = chromium.get_log("browser")
        chromium.get("about:blank")
    assert console == []


def text(browser: Browser, element: str) -> str:
    """Return the text of an element as it is seen."""
    return str(browser.find_element("id", element).text)


def run_script(browser: Browser, script: str) -> Any:
    """Return what an expression is in the page."""
    return browser.execute_script(f"return {script}")


def fits(browser: Browser) -> bool:
    """Whether nothing reaches beyond the window's width."""
    return bool(run_script(browser, "document.documentElement.scrollWidth <= innerWidth"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_training_at_a_glance(opened: Open, width: int, scheme: str) -> None:
    browser = opened(width, scheme)
    assert until(lambda: text(browser, "count") == "12 of 50 epochs".replace(" ", text(browser, "count")[2], 1))
    assert text(browser, "phase") == "Training"
    assert text(browser, "step") == "Step 100 of 235 in epoch 13"
    figures = text(browser, "figures")
    for expected in ("19 min", "done about", "30.5 s", "1,967", "Legible"):
        assert expected in figures
    machine = text(browser, "machine")
    for expected in (
        "GTX 1050 Ti",
        "compute capability 6.1",
        "900 MiB of 4.0 GiB",
        "tensorflow 2.19.0",
        "float32",
    ):
        assert expected in machine
    assert text(browser, "alarms") == ""
    assert fits(browser)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_reaches_beyond_the_window(opened: Open, run_folder: RunFolder, width: int) -> None:
    run_folder.state(
        phase="failed",
        message="/a/very/long/name" * 30,
        exit_code=78,
        devices=[GPU | {"kind": "W" * 200, "share": 0.5}] * 3,
        gain={"alone": {"GPU:0": 1.0e9, "GPU:1": 2.0}, "together": 3.0, "ratio": 1.5, "note": "x" * 300},
    )
    run_folder.put("dcgan.gif", picture(3, "GIF"))
    browser = opened(width)
    browser.execute_script("document.getElementById('table').open = true")
    browser.find_element("id", "draw").click()
    assert until(lambda: len(browser.find_elements("css selector", "#drawn li")) == 16)
    assert fits(browser)


def test_the_curves_have_a_point_for_each_epoch(opened: Open, run_folder: RunFolder) -> None:
    run_folder.epoch(13, generator_loss=float("nan"))
    browser = opened()
    points = "document.querySelector('path[data-series={}]').dataset.points"
    assert until(lambda: run_script(browser, points.format("discriminator_loss")) == "13")
    assert run_script(browser, points.format("generator_loss")) == "12", "a loss that is none has no point"
    assert run_script(browser, points.format("legible")) == "13"
    dots = browser.find_elements("css selector", "circle.dot[data-series=discriminator_loss]")
    assert len(dots) == 13
    path = run_script(browser, "document.querySelector('path[data-series=discriminator_loss]').getAttribute('d')")
    assert path.count("L") == 12
    assert len(browser.find_elements("css selector", "#spread li")) == 10
    assert "no number" in browser.find_element("css selector", "#losses .readout").text


def test_the_curves_can_be_read_by_the_keyboard_and_by_the_pointer(opened: Open) -> None:
    browser = opened()
    chart = browser.find_element("css selector", "#losses svg")
    readout = browser.find_element("css selector", "#losses .readout")
    assert until(lambda: "epoch 12" in readout.text)
    chart.send_keys(Keys.HOME)
    assert "epoch 1" in readout.text.split("\n")
    chart.send_keys(Keys.ARROW_RIGHT)
    assert "epoch 2" in readout.text.split("\n")
    assert chart.get_attribute("aria-valuetext").startswith("epoch 2: Generator 0.9")
    chart.send_keys(Keys.ENTER)
    assert text(browser, "film-epoch") == "epoch 2", "the picture follows the choice"
    chart.send_keys(Keys.END)
    webdriver.ActionChains(browser).move_to_element(chart).perform()
    assert until(lambda: readout.text.split("\n")[-1] in ("epoch 6", "epoch 7")), "about the middle"


@pytest.mark.parametrize("width", WIDTHS)
def test_the_slider_moves_the_picture(opened: Open, run_folder: RunFolder, width: int) -> None:
    browser = opened(width)
    image = browser.find_element("id", "grid")
    slider = browser.find_element("id", "slider")
    assert until(lambda: image.get_attribute("data-epoch") == "12")
    slider.send_keys(Keys.ARROW_LEFT)
    assert image.get_attribute("data-epoch") == "11"
    assert text(browser, "film-epoch") == "epoch 11"
    assert until(lambda: run_script(browser, "document.getElementById('grid').naturalWidth > 0"))
    run_folder.epoch(13)
    assert until(lambda: slider.get_attribute("max") == "13")
    assert image.get_attribute("data-epoch") == "11", "who looks at an old one is left there"
    slider.send_keys(Keys.HOME)
    assert text(browser, "film-epoch") == "before the first epoch"
    slider.send_keys(Keys.END)
    run_folder.epoch(14)
    assert until(lambda: image.get_attribute("data-epoch") == "14"), "who looks at the newest sees the next"


def test_the_pictures_play_to_the_end_and_can_be_held(opened: Open) -> None:
    browser = opened()
    button, image = browser.find_element("id", "play"), browser.find_element("id", "grid")
    assert until(button.is_enabled)
    button.click()
    assert button.get_attribute("aria-label") == "Pause"
    assert until(lambda: image.get_attribute("data-epoch") == "2")
    button.click()
    held = image.get_attribute("data-epoch")
    time.sleep(0.5)
    assert image.get_attribute("data-epoch") == held
    button.click()
    assert until(lambda: button.get_attribute("aria-label") == "Play")
    assert image.get_attribute("data-epoch") == "12"


def test_an_epoch_that_ends_shows_without_being_asked_for(opened: Open, run_folder: RunFolder) -> None:
    browser = opened()
    run_folder.epoch(13)
    run_folder.state(epoch=13, step=1)
    assert until(lambda: text(browser, "epoch") == "13")
    assert until(lambda: len(browser.find_elements("css selector", "#rows tr")) == 13)
    assert run_script(browser, "document.title") == "13/50 · Training"


def test_without_events_the_page_asks(chromium: Browser, run_folder: RunFolder) -> None:
    with served(Page(run_folder.path, draw=draw, listeners=0)) as address:
        chromium.get(address)
        assert until(lambda: text(chromium, "link") == "Every 3 seconds")
        assert text(chromium, "epoch") == "12"
        run_folder.epoch(13)
        run_folder.state(epoch=13)
        assert until(lambda: text(chromium, "epoch") == "13", 8)
        points = "document.querySelector('path[data-series=legible]').dataset.points"
        assert until(lambda: run_script(chromium, points) == "13")
        chromium.get("about:blank")
    chromium.get_log("browser")  # the refused stream stands there, rightly


@pytest.mark.parametrize("width", WIDTHS)
def test_new_digits_are_drawn_and_can_be_drawn_again(opened: Open, width: int) -> None:
    browser = opened(width)
    button = browser.find_element("id", "draw")
    assert until(button.is_enabled)
    browser.find_element("id", "seed").send_keys("4294967296" + Keys.ENTER)
    assert until(lambda: "below 4,294,967,296" in text(browser, "draw-note"))
    browser.find_element("id", "seed").clear()
    button.click()
    assert until(lambda: len(browser.find_elements("css selector", "#drawn li")) == 16)
    note = text(browser, "draw-note")
    assert note.startswith("12 of 16 legible · epoch 12 · seed ")
    first = run_script(browser, "document.getElementById('save').href")
    assert first.startswith("data:image/png;base64,iVBOR")
    browser.find_element("id", "keep-seed").click()
    button.click()
    assert until(lambda: text(browser, "draw-note") == note)
    assert run_script(browser, "document.getElementById('save').href") == first
    assert "4?" not in text(browser, "drawn")
    assert "3?" in text(browser, "drawn"), "what is hard to read is marked"


def test_nothing_yet(opened: Open, run_folder: RunFolder) -> None:
    for name in ("samples", "checkpoints"):
        shutil.rmtree(run_folder.path / name)
    for path in run_folder.path.iterdir():
        path.unlink()
    browser = opened()
    assert until(lambda: text(browser, "phase") == "Nothing yet")
    assert "has written nothing yet" in text(browser, "count")
    assert not browser.find_element("id", "draw").is_enabled()
    assert not browser.find_element("id", "curves").is_displayed()
    assert text(browser, "alarms") == ""


def test_a_failure_says_what_to_do(opened: Open, run_folder: RunFolder) -> None:
    line = "using GPU:0: 120 of 4096 MiB free; end what holds it"
    run_folder.state(phase="failed", epoch=0, step=0, message=line, exit_code=75)
    browser = opened(360)
    assert until(lambda: "The training failed" in text(browser, "alarms"))
    said = text(browser, "alarms")
    assert line.removeprefix("u") in said
    assert "can pass by itself" in said
    assert "Exit code 75." in said
    assert text(browser, "phase") == "Failed"
    assert text(browser, "epoch") == "12", "how far it had come stands in the metrics"


def test_the_processor_is_not_passed_over_in_silence(opened: Open, run_folder: RunFolder) -> None:
    run_folder.state(devices=[CPU])
    browser = opened()
    assert until(lambda: "This trains on the processor, not on a graphics card" in text(browser, "alarms"))
    run_folder.settings(device="cpu")
    assert until(lambda: text(browser, "alarms") == ""), "as it was told to"
    assert "the processor" in text(browser, "machine")


def test_silence_is_noticed(opened: Open, run_folder: RunFolder) -> None:
    run_folder.state(updated=time.time() - 40)
    browser = opened()
    assert until(lambda: "No sign of life for 4" in text(browser, "alarms"))
    assert text(browser, "phase") == "Training, or cut off"
    assert run_script(browser, "document.getElementById('heard').textContent").startswith("No sign of life. ")
    run_folder.state()
    assert until(lambda: text(browser, "alarms") == "")


def test_several_cards_say_what_they_won(opened: Open, run_folder: RunFolder) -> None:
    small = GPU | {"name": "GPU:1", "kind": "NVIDIA GeForce GT 1030", "share": 0.3}
    note = "Both cards together are slower than the GTX 1050 Ti alone."
    gain = {"alone": {"GPU:0": 1967.0, "GPU:1": 880.0}, "together": 1700.0, "ratio": 0.86, "note": note}
    run_folder.state(strategy="mirrored", devices=[GPU | {"share": 0.7}, small], gain=gain)
    browser = opened(360)
    assert until(lambda: note in text(browser, "gain"))
    assert "0.86" in text(browser, "gain")
    assert "70 % of each batch" in text(browser, "devices")
    assert browser.find_element("css selector", ".ratio").get_attribute("data-gain") == "lost"


def test_a_finished_training_has_its_gif(opened: Open, run_folder: RunFolder) -> None:
    run_folder.state(phase="finished", epoch=50, step=0, seconds_left=0.0, exit_code=0, updated=time.time() - 9000)
    run_folder.put("dcgan.gif", picture(9, "GIF"))
    browser = opened()
    assert until(lambda: text(browser, "phase") == "Finished")
    assert text(browser, "alarms") == "", "a finished training may be silent"
    assert until(lambda: run_script(browser, "document.getElementById('gif').naturalWidth > 0"))
    browser.find_element("id", "motion-toggle").click()
    assert not browser.find_element("id", "gif").is_displayed()


def test_who_wants_little_motion_gets_little(opened: Open, run_folder: RunFolder) -> None:
    run_folder.put("dcgan.gif", picture(9, "GIF"))
    browser = opened()
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": calm})
    browser.refresh()
    assert until(lambda: text(browser, "motion-toggle") == "Show")
    assert not browser.find_element("id", "gif").is_displayed()
    dot = "getComputedStyle(document.querySelector('#phase .dot')).animationName"
    assert run_script(browser, dot) == "none"


def test_a_broken_folder_is_said_and_the_rest_is_shown(opened: Open, run_folder: RunFolder) -> None:
    run_folder.put("state.json", b"{")
    browser = opened()
    assert until(lambda: "reading state.json: it is not json" in text(browser, "alarms").lower())
    assert text(browser, "film-epoch") == "epoch 12"
    run_folder.state()
    assert until(lambda: text(browser, "phase") == "Training")
