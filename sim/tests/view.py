#!/usr/bin/env python3
"""Opens pages of `quorate-sim view` in a headless Chromium and looks whether they do what they should.

    sim/tests/view.py [--binary target/release/quorate-sim] [--keep DIRECTORY]

Exit codes: 0 all is well; 1 something is wrong; 2 there is no Chromium. Needs nothing else but Python; speaks to the browser over a pipe.
With --keep, pages and screenshots stay in that directory.
"""

import argparse
import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "chrome"]
WAIT_S = 120
# What a draw may take while the picture is moved: the median, and nineteen of twenty, among which a busy machine counts.
MEDIAN_MS, SLOW_MS = 8.0, 100.0


class Browser:
    """A headless Chromium, and one page of it."""

    def __init__(self, path, profile):
        to_read, self.write = os.pipe()
        self.read, to_write = os.pipe()
        # The browser reads from 3 and writes to 4, whatever those are here.
        to_read, to_write = (fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (to_read, to_write))
        self.process = subprocess.Popen(
            [path, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run",
             "--disable-background-networking", "--hide-scrollbars", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=lambda: (os.dup2(to_read, 3), os.dup2(to_write, 4)), pass_fds=(3, 4),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(to_write)
        self.buffer, self.number, self.session, self.heard = b"", 0, None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.heard.append(answer)

    def next(self):
        end = time.monotonic() + WAIT_S
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, end - time.monotonic()))[0]:
                raise RuntimeError(f"the browser says nothing for {WAIT_S} s")
            got = os.read(self.read, 1 << 20)
            if not got:
                raise RuntimeError("the browser is gone")
            self.buffer += got
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script[:200]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def open(self, page, width=1600, height=1000):
        self.heard.clear()
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url="file://" + os.path.abspath(page))
        end = time.monotonic() + WAIT_S
        while self.evaluate("document.readyState") != "complete":
            if time.monotonic() > end:
                raise RuntimeError("the page is not loaded in time")
            time.sleep(0.1)
        self.evaluate("new Promise(done => setTimeout(done, 400))")

    def troubles(self, page):
        """What left the page, and what it complained about."""
        found = []
        for message in self.heard:
            method, params = message.get("method", ""), message.get("params", {})
            if method == "Network.requestWillBeSent":
                url = params["request"]["url"]
                if not url.startswith("data:") and url != "file://" + os.path.abspath(page):
                    found.append(f"asks for {url[:200]}")
            elif method == "Runtime.exceptionThrown":
                found.append(f"throws {json.dumps(params['exceptionDetails'])[:600]}")
            elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
                found.append(f"logs {params['entry']['text'][:300]}")
            elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
                found.append(f"says {json.dumps(params['args'])[:300]}")
        return found

    def screenshot(self, path):
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as out:
            out.write(base64.b64decode(picture))

    def end(self):
        self.process.kill()
        self.process.wait()


# Zooms from the whole run to a microsecond and back, and moves at several depths; a draw for each frame, as for a person.
MEASURE = """(async () => {
  const frame = () => new Promise(requestAnimationFrame);
  const busy = (() => { const m = Math.floor(E.n * 0.6); return E.at[m]; })();
  setView(run.from, run.until); await frame(); await frame();
  frames.length = 0;
  const shown = [];
  const spanNow = () => view.until - view.from;
  while (spanNow() > 1000) { zoom(0.8, busy); await frame(); shown.push(drawn.length); }
  while (spanNow() < run.until - run.from) { zoom(1.25, busy); await frame(); }
  for (const share of [1, 0.2, 0.03, 0.003]) {
    const width = (run.until - run.from) * share;
    setView(busy - width / 2, busy + width / 2);
    for (let i = 0; i < 25; i++) { const by = (i % 2 ? 1 : -1) * i * width / 50; setView(view.from + by, view.until + by); await frame(); }
  }
  await frame();
  const sorted = frames.slice().sort((a, b) => a - b), at = share => sorted[Math.floor((sorted.length - 1) * share)];
  return { frames: sorted.length, median: at(0.5), p95: at(0.95), worst: at(1), most_arrows: Math.max(...shown) };
})()"""

# Elements of the page, however many events there are; the list has only the rows that are seen.
ELEMENTS = "document.querySelectorAll('*').length"


def require(holds, what):
    if not holds:
        raise AssertionError(what)


def key(browser, name, code=None):
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key=name, code=code or name, text=name if len(name) == 1 and kind == "keyDown" else "")


def mouse(browser, kind, px, py, **more):
    browser.call("Input.dispatchMouseEvent", type=kind, x=px, y=py, **more)


def by_hand(browser):
    """Wheel, drag, click and search box, as a person has them."""
    browser.evaluate("search(''), setView(run.from, run.until), new Promise(done => setTimeout(done, 100))")
    box = browser.evaluate("(({ left, top, width, height }) => ({ left, top, width, height }))(canvas.getBoundingClientRect())")
    px, py = box["left"] + box["width"] * 0.6, box["top"] + box["height"] * 0.5
    shown = "view.until - view.from"
    before = browser.evaluate(shown)
    for _ in range(5):
        mouse(browser, "mouseWheel", px, py, deltaX=0, deltaY=-200)
    require(browser.evaluate(shown) < before / 2, "the wheel does not zoom")
    before = browser.evaluate("view.from")
    mouse(browser, "mousePressed", px, py, button="left", clickCount=1)
    mouse(browser, "mouseMoved", px - 120, py, button="left", buttons=1)
    mouse(browser, "mouseReleased", px - 120, py, button="left", clickCount=1)
    require(browser.evaluate("view.from") > before, "dragging does not move the picture")
    mouse(browser, "mousePressed", px, py, button="left", clickCount=1)
    mouse(browser, "mouseReleased", px, py, button="left", clickCount=1)
    require(abs(browser.evaluate("x(cursor.at)") - box["width"] * 0.6) < 12, "a click does not put the cursor there")
    key(browser, "/", "Slash")
    browser.call("Input.insertText", text="fate:lost")
    lost = browser.evaluate("filter.messages.length")
    require(lost == browser.evaluate("M.fate.filter(fate => fate === LOST).length"), "a search for what is lost finds something else")
    key(browser, "Escape")
    require(browser.evaluate("filter.query") == "", "Escape does not end a search")


def look_at(browser, page, facts, keep):
    """Everything that every page owes."""
    browser.open(page)
    name = os.path.basename(page).removesuffix(".html")
    shot = lambda what: keep and browser.screenshot(os.path.join(keep, f"{name}-{what}.png"))
    shot("open")
    require(browser.evaluate("E.n") > 0, "no events")
    require(browser.evaluate("run.noted") == facts["events"], "not as many events as the run had")
    require(browser.evaluate(ELEMENTS) < 1200, f"{browser.evaluate(ELEMENTS)} elements")
    # Whatever has 64 bits is a text, and one that is beyond a double's digits comes through.
    big = browser.evaluate("S[M.session.find(text => /^0x[0-9a-f]{15,16}$/.test(S[text]))] ?? ''")
    require(browser.evaluate("S.every(text => typeof text === 'string')"), "a text is none")
    if big:
        query = browser.evaluate(f"search('{big}'), filter.messages.length")
        require(query > 0, f"nothing about {big}")
        require(browser.evaluate(f"chooseMessage(filter.messages[0]), $('chosen').textContent.includes('{big}')"), f"{big} is not shown as it is")
        by_decimal = browser.evaluate(f"search('session:' + BigInt('{big}')), filter.messages.length")
        require(by_decimal > 0, "a number in decimal is not understood")
        shot("searched")
        browser.evaluate("search('')")
    measured = browser.evaluate(MEASURE)
    browser.evaluate("setView(run.from, run.until), choose(Math.floor(E.n / 2)), new Promise(done => setTimeout(done, 100))")
    shot("whole")
    before = browser.evaluate("cursor.event")
    key(browser, "ArrowRight")
    require(browser.evaluate("cursor.event") > before, "a step goes nowhere")
    require(browser.evaluate("document.querySelectorAll('.row.chosen').length") == 1, "the list does not follow the cursor")
    require(browser.evaluate("$('servers').querySelectorAll('tbody tr').length === serverLanes.length"), "not every server has its state")
    browser.evaluate("setView(cursor.at - 2e7, cursor.at + 2e7)")
    browser.evaluate("new Promise(done => setTimeout(done, 100))")
    shot("near")
    key(browser, "t", "KeyT")
    browser.evaluate("new Promise(done => setTimeout(done, 100))")
    shot("other-theme")
    key(browser, "?")
    require(browser.evaluate("$('helping').open"), "no help")
    shot("help")
    browser.evaluate("$('helping').close()")
    if facts["violation"]:
        require(browser.evaluate("!$('violation').hidden && $('detail').textContent === run.violation.detail"), "the violation is not told")
        require(browser.evaluate("led.order.length || toggleLed(), led.order.length") > 1, "nothing led to it")
        browser.evaluate("new Promise(done => setTimeout(done, 100))")
        shot("led")
    by_hand(browser)
    troubles = browser.troubles(page)
    require(not troubles, "; ".join(troubles[:5]))
    print(f"{name}: {facts['events']} events, {os.path.getsize(page) >> 10} KiB, draws of {measured['median']:.1f} ms, "
          f"95 % under {measured['p95']:.1f}, worst {measured['worst']:.1f}, {measured['frames']} frames, up to {measured['most_arrows']} arrows")
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/quorate-sim")
    parser.add_argument("--keep", help="a directory that pages and screenshots stay in")
    parser.add_argument("--page", action="append", default=[], help="look at this page too, as it is")
    arguments = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        print(f"no Chromium here, by any of these names: {', '.join(BROWSERS)}: pages are not looked at")
        return 2
    directory = arguments.keep or tempfile.mkdtemp(prefix="quorate-view")
    os.makedirs(directory, exist_ok=True)
    browser = Browser(path, tempfile.mkdtemp(prefix="quorate-chromium"))
    is_good = True
    try:
        seeds = [("rr-unfenced-mutex", 29, []), ("r1", 1, []), ("r0", 1, []), ("r2", 1, ["--events", "100000"])]
        runs = [(f"{scenario}-{seed}", ["--scenario", scenario, "--seed", str(seed), *more]) for scenario, seed, more in seeds]
        plan = os.path.join(directory, "shrunk.json")
        subprocess.run([arguments.binary, "shrink", "--scenario", "rr-unfenced-mutex", "--seed", "29", "--out", plan], capture_output=True)
        for name, which in [*runs, ("shrunk", [plan])]:
            page = os.path.join(directory, f"{name}.html")
            command = [arguments.binary, "view", *which, "--json", "--out", page]
            made = subprocess.run(command, capture_output=True, text=True)
            try:
                require(made.returncode in (0, 1), f"{' '.join(command)}: {made.stderr}")
                measured = look_at(browser, page, json.loads(made.stdout), arguments.keep)
                require(measured["median"] < MEDIAN_MS and measured["p95"] < SLOW_MS, f"it is slow: {measured}")
            except (AssertionError, RuntimeError) as problem:
                print(f"{name}: {problem}")
                is_good = False
    finally:
        browser.end()
        if not arguments.keep:
            shutil.rmtree(directory, ignore_errors=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
