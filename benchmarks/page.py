"""The web page in a real Chromium: bytes, times, memory, its pixels against Python's, and every control used once.

    pip install playwright psutil
    python -m benchmarks.page --chromium /usr/bin/chromium --minutes 10 --shots shots

The page is written as `export --format web` does, and served from this computer as a static host would, compressed. What does
not work ends the script with an error. Faces per second count what is put on a canvas.
"""

import base64
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.page_controls import use_controls, use_phone
from benchmarks.page_visitor import Host, Visitor, settle, until
from ganime.exporting.export import find_edits, read_generator
from ganime.exporting.facts import describe
from ganime.exporting.small import shrink
from ganime.exporting.web import join_files, page_files
from ganime.generation.sampling import find_generator, load_for, sample

DRAG = """(seconds) => new Promise((resolve) => {
    const slider = document.querySelector('#edit-rows input') ?? document.querySelector('#truncation');
    const start = performance.now(), before = painted.length;
    const move = (now) => {
        slider.value = Number(slider.min) + (slider.max - slider.min) * (0.5 + 0.4 * Math.sin((now - start) / 300));
        slider.dispatchEvent(new Event('input'));
        if (now - start < 1000 * seconds) requestAnimationFrame(move);
        else resolve((painted.length - before) / seconds);
    };
    requestAnimationFrame(move);
})"""
PIXELS = """[...document.querySelectorAll('.drawn')].slice(0, 128).map((cell) => {
    const { width, height } = cell.firstChild;
    const { data } = cell.firstChild.getContext('2d').getImageData(0, 0, width, height);
    let text = '';
    for (const byte of data) text += String.fromCharCode(byte);
    return [cell.seed, btoa(text)];
})"""
SHOTS = [
    ("wide", (1440, 900), "light", "#face=40"),
    ("wide-dark-mix", (1440, 900), "dark", "#face=7&view=mix&kept=7,11,40,41&at=0.4,0.4"),
    ("walk", (1000, 700), "light", "#face=7&view=walk&kept=7,11,40,41"),
    ("widest", (2560, 1440), "light", "#face=11~0.9~eye-size:1.5"),
    ("phone", (390, 844), "light", ""),
    ("phone-dark-face", (390, 844), "dark", "#face=40~1~hair-warmth:2&kept=7,11,40"),
    ("phone-mix", (320, 568), "light", "#face=7&view=mix&kept=7,11,40,41"),
    ("phone-on-its-side", (740, 360), "dark", "#face=11"),
]


def load(visitor, host, single, rounds):
    """Bytes, requests, and milliseconds until the first face."""
    print("| the page | requests | raw bytes | compressed | first face, ms, median | worst |\n|---|--:|--:|--:|--:|--:|")
    for name, address in (("folder, served", host.address), ("single file, from the disk", single.as_uri())):
        times = []
        for _ in range(rounds):
            host.sent.clear()
            with visitor.open(address) as page:
                times.append(page.evaluate("painted[0]"))
        size = single.stat().st_size
        sums = [sum(column) for column in zip(*(sent[1:] for sent in host.sent), strict=True)] if host.sent else [size, size]
        requests = max(1, len(host.sent))
        print(
            f"| {name} | {requests} | {sums[0]:,} | {sums[1]:,} | {statistics.median(times):.0f} | {max(times):.0f} |",
            flush=True,
        )
    print(f"\nhosts asked: {', '.join(sorted(visitor.hosts))}")


def speed(visitor, host, seconds=4):
    """Faces per second where the visitor waits for them."""
    rates = {}
    with visitor.open(host.address + "#face=7&view=walk&kept=7,11,40,41") as page:
        page.click("#play")
        page.wait_for_timeout(1000)
        before = page.evaluate("painted.length")
        page.wait_for_timeout(1000 * seconds)
        rates["walk"] = (page.evaluate("painted.length") - before) / seconds
    with visitor.open(host.address + "#face=7") as page:
        settle(page)
        rates["slider dragged"] = page.evaluate(DRAG, seconds)
        settle(page)
        page.click("#elsewhere")
        settle(page)
        moments = page.evaluate("painted.slice(-40)")
        rates["wall"] = 39000 / (moments[-1] - moments[0])
    print("| | faces/s |\n|---|--:|\n" + "\n".join(f"| {name} | {rate:.0f} |" for name, rate in rates.items()))
    if rates["slider dragged"] < 30:
        sys.exit("a slider moves the face less than 30 times a second")


def pixels(visitor, host, model, count):
    """The wall's faces against Python's."""
    generator, worst, other, seeds = load_for(1, model), 0, 0, 0
    with visitor.open(host.address, size=(2560, 1440)) as page:
        while seeds < count:
            start = seeds * 1_000_003
            page.fill("#start", str(start))
            page.press("#start", "Enter")
            settle(page)
            found = page.evaluate(PIXELS)
            faces = sample(generator, [seed for seed, _ in found])
            made = np.frombuffer(b"".join(base64.b64decode(data) for _, data in found), np.uint8).reshape(*faces.shape[:3], 4)
            differences = np.abs(made[..., :3] - faces.astype(int))
            worst, other, seeds = (
                max(worst, differences.max()),
                other + (differences > 0).mean() * len(found),
                seeds + len(found),
            )
    print(f"{seeds} seeds: the pixels differ from Python's by up to {worst} of 255; {other / seeds:.2%} of the values do")
    if worst > 1:
        sys.exit("a seed's face is another one than in Python")


def memory(visitor, host, minutes):
    """What the browser holds while one scrolls on and on."""
    import psutil

    def used(page, session):
        session.send("HeapProfiler.collectGarbage")
        metrics = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
        renderers = [
            child for child in psutil.Process().children(recursive=True) if "--type=renderer" in " ".join(child.cmdline())
        ]
        resident = sum(process.memory_info().rss for process in renderers)
        rows = page.evaluate("document.querySelectorAll('[role=row]').length")
        return f"| {metrics['JSHeapUsedSize'] / 1e6:.1f} | {resident / 1e6:.0f} | {metrics['Nodes']:.0f} | {rows} | "

    print("| minutes | script's heap, MB | renderers, MB | nodes | rows | faces passed |\n|--:|--:|--:|--:|--:|--:|")
    with visitor.open(host.address) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.hover("#grid")
        start, marks = time.monotonic(), [minutes * part / 5 for part in range(6)]
        while marks:
            passed = (time.monotonic() - start) / 60
            if passed >= marks[0]:
                last = page.evaluate("Math.max(...[...document.querySelectorAll('[role=gridcell]')].map((cell) => cell.seed))")
                print(f"| {marks.pop(0):.1f} {used(page, session)}{last:,} |", flush=True)
            page.mouse.wheel(0, 700)
            page.wait_for_timeout(30)


def failures(visitor, files, single):
    """What the page says where it cannot work, or not as usual."""
    model = files["generator.safetensors"]
    damaged = {**files, "generator.safetensors": model[:-5] + bytes([model[-5] ^ 1]) + model[-4:]}
    cases = [
        ("a damaged model", damaged, "", "damaged"),
        ("half a model", {**files, "generator.safetensors": model[: len(model) // 2]}, "", "damaged"),
        ("another file as the model", {**files, "generator.safetensors": b"<!doctype html>"}, "", "damaged"),
        ("no model", {name: files[name] for name in files if name != "generator.safetensors"}, "", "generator.safetensors"),
        ("no kernel", {name: files[name] for name in files if name != "kernel.wasm"}, "", "kernel.wasm"),
        ("no worker's file", {name: files[name] for name in files if name != "worker.js"}, "", "worker.js"),
        ("no WebAssembly", files, "delete window.WebAssembly;", "WebAssembly"),
        ("no workers", files, "delete window.Worker;", "workers"),
        ("no DecompressionStream", None, "delete window.DecompressionStream;", "DecompressionStream"),
    ]
    print("| | what the page says | faces |\n|---|---|--:|")
    for name, served, script, word in cases:
        with (
            Host(served or files) as host,
            visitor.open(host.address if served else single.as_uri(), script, wait=False) as page,
        ):
            until(page, "!document.body.hasAttribute('data-loading') || document.querySelector('#notice.failed')")
            page.wait_for_timeout(500)
            said, faces = page.inner_text("#notice-text"), page.evaluate("painted.length")
            print(f"| {name} | {said} | {faces} |", flush=True)
            if word not in said or page.is_hidden("#notice"):
                sys.exit("that is not what it should say")
    visitor.errors.clear()


def shoot(visitor, host, folder):
    """Pictures of the page, to be looked at."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, size, scheme, fragment in SHOTS:
        with visitor.open(host.address + fragment, size=size, color_scheme=scheme) as page:
            settle(page)
            page.screenshot(path=folder / f"{name}.png")
            if page.evaluate("document.documentElement.scrollWidth") > size[0]:
                sys.exit(f"{name}: the page is wider than the window")


@click.command()
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A generator.  [default: what ships]")
@click.option("--weights", default="float16", show_default=True, type=click.Choice(["float32", "float16", "int8"]))
@click.option("--chromium", help="Its program.  [default: chromium if it is found, else playwright's own]")
@click.option("--minutes", default=1.0, show_default=True, help="Of scrolling.")
@click.option("--seeds", default=1000, show_default=True, help="To compare with Python, at least.")
@click.option("--rounds", default=7, show_default=True, help="Of loading.")
@click.option("--shots", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to put pictures of the page.")
def main(model, weights, chromium, minutes, seeds, rounds, shots):
    """Measure and drive the page."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        sys.exit("this needs playwright: pip install playwright")
    path = find_generator(model)
    chain, edits = shrink(read_generator(path), weights), find_edits(path)
    files = page_files(chain, describe(model, chain.latent_size), edits)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder, Host(files) as host:
        single = Path(folder, "page.html")
        single.write_bytes(join_files(files))
        try:
            browser = playwright.chromium.launch(executable_path=chromium or shutil.which("chromium"), args=["--no-sandbox"])
        except Error:
            sys.exit("there is no Chromium: name one with --chromium, or: playwright install chromium")
        visitor = Visitor(browser)
        load(visitor, host, single, rounds)
        for part in (lambda: speed(visitor, host), lambda: pixels(visitor, host, model, seeds)):
            print()
            part()
        print()
        for place in (host.address, single.as_uri()):
            with visitor.open(place) as page:
                print(f"{use_controls(page, chain, edits, Path(folder))} things done with the controls, all worked")
            with visitor.open(place, size=(390, 844)) as page:
                print(f"{use_phone(page)} on a phone")
        print()
        failures(visitor, files, single)
        if shots:
            shoot(visitor, host, shots)
        print()
        memory(visitor, host, minutes)


if __name__ == "__main__":
    main()
