"""Steps that tests in a browser take, and the pictures they leave.

SCREENSHOTS=DIR saves a picture of every state of the page at 1280 and 390 pixels, and in the dark.
"""

import os
from pathlib import Path

PATIENCE = 100_000  # ms: how long a slow machine may take for one step
WIDTHS = (1280, 390)  # pixels


def shoot(page, name: str) -> None:
    """Pictures of the page as it is, where they are wanted."""
    folder = os.environ.get("SCREENSHOTS")
    if not folder:
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(500)
        page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(500)
    page.screenshot(path=Path(folder) / f"{name}-dark.png", full_page=True)
    page.emulate_media(color_scheme="light")


def open_tab(page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


# What cannot be read or reached on a phone, one line each: [what, pixels]
FAULTS = """() => {
  const found = [], page = document.documentElement;
  const seen = (one) => one.checkVisibility() && one.getBoundingClientRect().width > 1;
  const over = page.scrollWidth - page.clientWidth;
  if (over > 0) found.push(["the page is wider than the screen by", over]);
  for (const lane of document.querySelectorAll(".lane:not(.lane-axis)")) {
    const [title, track] = [...lane.children].map((one) => one.getBoundingClientRect());
    if (seen(lane) && title.bottom > track.top) found.push(["a lane's title lies on it by", title.bottom - track.top]);
  }
  for (const one of document.querySelectorAll("main *:not(svg *)")) {
    const text = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim()).join("");
    const size = parseFloat(getComputedStyle(one).fontSize);
    if (text && size < 12 && seen(one)) found.push([`too small: ${text.slice(0, 40)}`, size]);
  }
  for (const one of document.querySelectorAll("main .details .table-scroll")) {
    const hidden = one.scrollWidth - one.clientWidth;
    if (seen(one) && hidden > 1) found.push(["the last answer of each segment is out of sight by", hidden]);
  }
  for (const one of document.querySelectorAll("main button:not(.turn)")) {
    const cut = one.scrollWidth - one.clientWidth;
    const hides = getComputedStyle(one).overflowX !== "visible";
    if (one.innerText && hides && cut > 1 && seen(one)) found.push([`cut off: ${one.innerText.slice(0, 40)}`, cut]);
  }
  return found;
}"""


def faults_on_a_phone(page) -> list:
    """What cannot be read or reached at 390 pixels, as [what, pixels]; the page is 1280 wide again afterwards."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    found = page.evaluate(FAULTS)
    page.set_viewport_size({"width": 1280, "height": 900})
    return found
