"""Every control of the web page used once, as a person would; see benchmarks/page.py."""

import io

import numpy as np
from PIL import Image

from benchmarks.page_visitor import settle, until
from ganime.generation import latents
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.sampling import paint
from ganime.pictures.grids import enlarge


class Person:
    """Uses a page, and counts what has worked."""

    def __init__(self, page):
        self.page, self.done = page, 0

    def check(self, what, condition):
        if not condition:
            self.page.screenshot(path="page-failed.png")
            raise SystemExit(f"it did not work: {what} (see page-failed.png)")
        self.done += 1

    def look(self):
        """What is on the stage."""
        settle(self.page)
        return self.page.evaluate("document.querySelector('#canvas').toDataURL()")

    def changes(self, what, act, changes=True):
        """Do something that has to change the face."""
        before = self.look()
        act()
        self.check(what, (self.look() != before) == changes)

    def caption(self):
        return self.page.inner_text("#caption")

    def kept(self):
        return self.page.locator("#kept li").count()

    def download(self, act):
        with self.page.expect_download() as found:
            act()
        return found.value.suggested_filename, found.value.path().read_bytes()


def use_controls(page, chain, edits, folder):
    """Use everything that a desktop's page has; returns how many things were done."""
    person = Person(page)
    for part in (_wall, _face, _history, _collection, _mix, _walk, _keys):
        part(person, page, chain, edits, folder)
    return person.done


def _wall(person, page, *_):
    person.changes("a face is chosen", lambda: page.click("#seed-11"))
    person.check("its seed is named", person.caption() == "Seed 11" and "face=11" in page.url)
    person.check("it is marked", page.get_attribute("#seed-11", "aria-selected") == "true")
    page.hover("#seed-12")
    page.click("#seed-12 .keep")
    person.check("+ collects a face", person.kept() == 1 and person.caption() == "Seed 11")
    page.focus("#grid")
    for key, seed in (("ArrowRight", 13), ("ArrowLeft", 12), ("Home", 7), ("End", 13), ("ArrowDown", 20), ("ArrowUp", 13)):
        page.keyboard.press(key)
        active = page.get_attribute("#grid", "aria-activedescendant")
        person.check(f"{key} in the wall", active == f"seed-{seed}")
    page.keyboard.press("PageDown")
    page.keyboard.press("PageDown")
    active = page.get_attribute("#grid", "aria-activedescendant")
    scrolled = page.evaluate("document.querySelector('#grid').scrollTop")
    person.check("PageDown scrolls", scrolled > 500 and page.is_visible(f"#{active}"))
    person.changes("Enter chooses", lambda: page.keyboard.press("Enter"))
    person.check("Enter chooses the right one", person.caption() == f"Seed {active[5:]}")
    page.keyboard.press("c")
    person.check("C in the wall collects", person.kept() == 2)
    page.fill("#start", "4294967290")
    page.press("#start", "Enter")
    settle(page)
    person.check("the wall goes on after the last seed", page.is_visible("#seed-4294967295") and page.is_visible("#seed-0"))
    page.click("#elsewhere")
    person.check("other faces", page.input_value("#start") != "4294967290")


def _face(person, page, chain, edits, folder):
    def seed(text):
        page.fill("#seed", text)
        page.press("#seed", "Enter")

    person.changes("a seed is typed", lambda: seed("123"))
    seed("x")
    person.check("a wrong seed is refused", "whole number" in page.inner_text("#notice") and page.input_value("#seed") == "123")
    person.changes("the dice", lambda: page.click("#roll"))
    person.check("the note goes away", page.is_hidden("#notice"))
    seed("7")
    generator, point = NumpyGenerator(chain), latents.from_seeds([7], chain.latent_size)
    plain = person.look()
    page.focus("#truncation")
    person.changes("truncation, by key", lambda: page.keyboard.press("Home"))
    page.click("#truncation-row .reset")
    person.check("truncation is reset", person.look() == plain)
    for name in edits.names if edits else []:
        page.focus(f"#edit-{name}")
        person.changes(f"edit {name}, by key", lambda: [page.keyboard.press("ArrowRight") for _ in range(15)])
    if edits:
        page.click("#reset")
        person.check("all edits are reset", person.look() == plain)
        box = page.locator(f"#edit-{edits.names[0]}").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        page.mouse.down()
        before = page.evaluate("painted.length")
        page.mouse.move(middle[0] + 60, middle[1], steps=20)
        page.mouse.up()
        person.check("the face moves while one drags", page.evaluate("painted.length") - before > 5 and person.look() != plain)
        page.click("#reset")
        page.focus(f"#edit-{edits.names[1]}")
        for _ in range(15):
            page.keyboard.press("ArrowLeft")
        point = edits.apply(point, {edits.names[1]: -1.5})
    for scale, sharp in ((1, False), (3, False), (2, True)):
        page.fill("#scale", str(scale))
        page.set_checked("#sharp", sharp)
        name, content = person.download(lambda: page.click("#png"))
        picture = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        expected = enlarge(paint(generator, point), scale, sharp)[0]
        same = picture.shape == expected.shape and np.abs(picture - expected).max() <= 2
        person.check(f"a picture, {scale} times as large", same and name == "face-000007.png")
    page.set_checked("#sharp", False)
    name, content = person.download(lambda: page.click("#npy"))
    (folder / "one.npy").write_bytes(content)
    person.check("a latent", np.allclose(latents.read_latents(folder / "one.npy"), point, atol=1e-5))
    page.click("#keep")
    person.check("an edited face is collected", person.kept() == 3)


def _history(person, page, *_):
    now = person.look()
    page.click("#roll")
    settle(page)
    page.go_back()
    person.check("back", person.look() == now)
    page.go_forward()
    person.check("forward", person.look() != now)
    page.go_back()
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    until(page, "painted.length")
    person.check("a link shows the same face and collection", person.look() == now and person.kept() == 3)


def _collection(person, page, chain, _, folder):
    page.keyboard.press("C")  # as with Caps Lock
    person.check("nothing is collected twice", person.kept() == 3)
    person.changes("a collected face is chosen", lambda: page.click("#kept li:first-child button"))
    _, content = person.download(lambda: page.click("#save-all"))
    (folder / "all.npy").write_bytes(content)
    found = latents.read_latents(folder / "all.npy")
    person.check("all latents", np.array_equal(found[0], latents.from_seeds([12], chain.latent_size)[0]) and len(found) == 3)
    page.focus("#kept li:first-child button")
    page.keyboard.press("Shift+ArrowRight")
    label = page.get_attribute("#kept li:nth-child(2) button", "aria-label")
    person.check("Shift and an arrow move a face", label.endswith("Seed 12"))
    page.keyboard.press("Delete")
    person.check("Delete removes it", person.kept() == 2)
    page.drag_and_drop("#kept li:first-child", "#kept li:last-child")
    person.check("a face is dragged to another place", "Seed 7" in page.get_attribute("#kept button", "aria-label"))
    page.hover("#kept li:first-child")
    page.click("#kept li:first-child .remove")
    person.check("x removes a face", person.kept() == 1)
    page.click("#clear")
    person.check("the collection is cleared", person.kept() == 0)
    page.set_input_files("#file", folder / "all.npy")
    until(page, "document.querySelectorAll('#kept li').length === 3")
    page.click("#kept li:first-child button")
    person.check("latents are opened", person.caption() == "A face without a seed")
    page.keyboard.press("s")
    page.set_input_files("#file", {"name": "wrong.npy", "mimeType": "", "buffer": b"wrong"})
    page.wait_for_selector("#notice:visible")
    person.check("what is no file of latents is refused", "it is no .npy file" in page.inner_text("#notice"))
    page.click("#notice-close")


def _mix(person, page, *_):
    page.click("#clear")
    page.click("#tab-mix")
    page.click("#panel-mix .take")
    person.check("four faces at random", person.kept() == 4 and person.caption() == "Mix of 4 faces")
    box = page.locator("#pad").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag():
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] - 50, middle[1] + 40, steps=10)
        page.mouse.up()

    person.changes("the pad is dragged", drag)
    person.check("the pad's place is in the address", "at=0." in page.url)
    person.changes("across, by key", lambda: page.press("#across", "Home"))
    person.changes("down, by key", lambda: page.press("#down", "Home"))
    page.click("#keep")
    person.check("a corner is that corner's face", person.kept() == 5)
    person.changes("a corner takes the next face", lambda: page.click("#pad button:first-of-type"), changes=False)
    page.press("#across", "End")
    person.changes("a corner takes the next face", lambda: page.click("#pad button:nth-of-type(2)"))
    page.check("[name=corners][value='2']")
    person.check("two faces", person.caption() == "Mix of 2 faces" and page.is_hidden("#down-row"))
    page.press("#across", "Home")
    person.changes("two faces mixed", lambda: [page.press("#across", "PageUp") for _ in range(4)])
    now = person.look()
    page.click("#panel-mix .edit-this")
    person.check("the mix can be edited", person.look() == now and page.get_attribute("#tab-face", "aria-selected") == "true")
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    until(page, "painted.length")
    person.check("a link shows the same face without a seed", person.look() == now)


def _walk(person, page, chain, *_):
    page.click("#tab-walk")
    page.wait_for_timeout(800)
    person.check("the walk begins", page.inner_text("#play") == "Pause")
    until(page, "document.querySelector('#rate').value")
    page.click("#play")
    person.check("it pauses", page.inner_text("#play") == "Play")
    person.changes("its place, by key", lambda: page.press("#place", "PageUp"))
    page.press("#pace", "Home")
    person.check("its pace", "0.2 s" in page.inner_text("#pace-row"))
    page.fill("#scale", "2")
    _, content = person.download(lambda: page.click("#gif"))
    gif, size = Image.open(io.BytesIO(content)), tuple(2 * side for side in chain.image_shape[1::-1])
    person.check("a GIF", gif.n_frames == 5 * person.kept() and gif.size == size and gif.info.get("loop") == 0)
    _, content = person.download(lambda: page.click("#video"))
    person.check("a video", content[:4] == b"\x1aE\xdf\xa3" and len(content) > 5000)
    page.fill("#pace", "4")
    page.click("#gif")
    person.check("a recording can be cancelled", page.inner_text("#gif").strip() == "Cancel")
    page.click("#gif")
    until(page, "document.querySelector('#gif').innerText.trim() === 'GIF'", seconds=5)


def _keys(person, page, *_):
    page.keyboard.press("f")
    person.check("F", page.is_visible("#panel-face"))
    page.keyboard.press("/")
    person.check("/", page.evaluate("document.activeElement.id") == "seed")
    page.fill("#seed", "40")
    page.press("#seed", "Enter")
    person.changes("R", lambda: page.keyboard.press("r"))
    page.keyboard.press("m")
    person.check("M", page.is_visible("#panel-mix"))
    page.keyboard.type("wP")  # Shift is held for the latter
    person.check("W and P", page.is_visible("#panel-walk") and page.inner_text("#play") == "Play")
    page.focus("#tab-walk")
    page.keyboard.press("ArrowRight")
    person.check("an arrow goes to the next tab", page.is_visible("#panel-face"))
    name, _ = person.download(lambda: page.keyboard.press("s"))
    person.check("S", name.endswith(".png"))
    page.keyboard.press("?")
    person.check("?", page.is_visible("#help") and page.evaluate("document.activeElement.id") == "help-title")
    page.set_checked("#shortcuts", False)
    page.keyboard.press("Escape")
    person.changes("single keys can be turned off", lambda: page.keyboard.press("r"), changes=False)
    page.click("#show-help")
    page.set_checked("#shortcuts", True)
    page.click("#help form button")
    page.click("#show-about")
    person.check("about", "sha256" in page.inner_text("#facts"))
    page.click("#about form button")
    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, input, [role=gridcell]')].filter((control) => control.offsetParent
        && !(control.ariaLabel || control.innerText?.trim() || control.labels?.length)).map((control) => control.outerHTML)"""
    )
    person.check(f"every control has a name: {unnamed}", not unnamed)


def use_phone(page):
    """Use the page with a finger; returns how many things were done."""
    person = Person(page)
    person.check("the wall comes first", page.is_visible("#grid") and page.is_hidden("#stage"))
    page.tap("#seed-6")
    person.check("a tap chooses", page.is_visible("#stage") and person.caption() == "Seed 6")
    page.tap("#keep")
    person.check("a tap collects", person.kept() == 1)
    page.go_back()
    page.go_back()
    person.check("back to the wall", page.is_visible("#grid"))
    page.go_forward()
    for name in ("mix", "walk", "face"):
        page.tap(f"#tab-{name}")
        person.check(f"the tab {name}", page.is_visible(f"#panel-{name}") and page.is_hidden("#grid"))
    page.tap("#tab-wall")
    person.check("the tab wall", page.is_visible("#grid"))
    return person.done
