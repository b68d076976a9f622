"""Debian's Chromium, driven through its own protocol over a pipe: no package is needed for it.

Everything of a browser is watched: its pages, their workers and service workers, what they ask for and what they say on
the console. A policy in a page does not hold for its workers, so a foreign request would not show in the page alone.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY_CODES = {
    " ": "Space", **{key: key for key in ("Enter", "Escape", "Delete", "Tab", "Home", "End", "PageUp", "PageDown")},
    **{f"Arrow{way}": f"Arrow{way}" for way in ("Left", "Right", "Up", "Down")},
}  # fmt: skip
VIRTUAL = {"Escape": 27, "Enter": 13, "Tab": 9, " ": 32, "Delete": 46}  # what browsers themselves listen to
PATIENCE = 60  # seconds, of a busy machine
SWITCHES = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
    "--no-first-run", "--disable-component-update", "--disable-sync", "--disable-default-apps", "--mute-audio",
    "--disable-features=OptimizationHints,MediaRouter,Translate", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
)  # fmt: skip


@dataclass
class Browser:
    """A running browser. `asked` are all addresses that anything in it asked for, `said` what was said as an error."""

    process: subprocess.Popen[bytes]
    to: int
    back: int
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    _number: int = 0
    _buffer: bytes = b""
    _answers: dict[int, dict[str, Any]] = field(default_factory=dict)
    _sessions: dict[str, str] = field(default_factory=dict)
    _closed: set[str] = field(default_factory=set)
    _traced: str | None = None

    def send(self, method: str, session: str | None = None, **parameters: Any) -> int:
        """Ask for something, and do not wait for the answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data) :]
        return self._number

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Ask for something, and wait for the answer."""
        number, until = self.send(method, session, **parameters), time.monotonic() + PATIENCE
        while number not in self._answers:
            self._hear(until, method)
        answer = self._answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def _hear(self, until: float, what: str) -> None:
        ready, _, _ = select.select([self.back], [], [], max(0.0, until - time.monotonic()))
        assert ready, f"no answer to {what}"
        self._buffer += os.read(self.back, 2**20)
        *messages, self._buffer = self._buffer.split(b"\0")
        for message in messages:
            self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("sessionId") in self._closed and message.get("method") == "Log.entryAdded":
            return  # a request of a page that is gone, which ended with its server
        match message.get("method"):
            case None:
                self._answers[message["id"]] = message
            case "Target.attachedToTarget":
                self._sessions[parameters["targetInfo"]["targetId"]] = parameters["sessionId"]
                self._watch(parameters["sessionId"])
            case "Network.requestWillBeSent" if parameters["request"]["url"].partition(":")[0] in ("http", "https"):
                self.asked.append(parameters["request"]["url"])
            case "Network.webSocketCreated":
                self.asked.append(parameters["url"])
            case "Runtime.exceptionThrown":
                self.said.append(json.dumps(parameters["exceptionDetails"])[:500])
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.said.append(" ".join(str(each.get("value")) for each in parameters["args"]))
            case "Tracing.tracingComplete":
                self._traced = parameters["stream"]
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.said.append(parameters["entry"]["text"] + " " + parameters["entry"].get("url", ""))

    def _watch(self, session: str) -> None:
        for domain in ("Network", "Runtime", "Log"):
            self.send(f"{domain}.enable", session)
        self.send("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        self.send("Runtime.runIfWaitingForDebugger", session)

    def forget(self, session: str) -> None:
        """Hear no more of a page, which is closed."""
        self._closed.add(session)

    def trace(self, *categories: str) -> None:
        """Begin to write down what happens, and when."""
        self.call("Tracing.start", transferMode="ReturnAsStream", traceConfig={"includedCategories": categories})

    def traced(self) -> list[dict[str, Any]]:
        """What happened since `trace`."""
        self._traced, until = None, time.monotonic() + PATIENCE
        self.call("Tracing.end")
        while self._traced is None:
            self._hear(until, "Tracing.end")
        text, is_over = "", False
        while not is_over:
            part = self.call("IO.read", handle=self._traced, size=2**22)
            data = part["data"]
            text += base64.b64decode(data).decode() if part.get("base64Encoded") else data
            is_over = part["eof"]
        self.call("IO.close", handle=self._traced)
        events: list[dict[str, Any]] = json.loads(text)["traceEvents"]
        return events

    def open(
        self,
        url: str,
        width: int = 390,
        height: int = 844,
        scheme: str = "light",
        language: str = "en-GB",
        before: str = "",
    ) -> "Page":
        """A new page, of the size and the settings of a phone. `before` is run in it before its own scripts."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        page = Page(self, self._sessions[target], target)  # it was attached to before the answer came
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2, mobile=width < 800
        )
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        page.call(
            "Emulation.setUserAgentOverride",
            userAgent=self.call("Browser.getVersion")["userAgent"],
            acceptLanguage=language,
        )
        if before:
            page.call("Page.enable")
            page.call("Page.addScriptToEvaluateOnNewDocument", source=before)
        page.go(url)
        return page


@dataclass
class Page:
    """A page in a browser."""

    browser: Browser
    session: str
    target: str = ""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def go(self, url: str) -> None:
        self.call("Page.enable")
        self.call("Page.bringToFront")  # one behind another gets no frames
        self.call("Page.navigate", url=url)

    def reload(self) -> None:
        self.call("Page.bringToFront")
        self.run("window.old = true")
        self.call("Page.reload")
        self.wait("!window.old && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """What an expression, or the promise that it is, comes to."""
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str, patience: float = PATIENCE) -> Any:
        """Wait until an expression is true, and return what it is."""
        until = time.monotonic() + patience
        while True:
            with contextlib.suppress(AssertionError):  # a page that is just being replaced
                if found := self.run(condition):
                    return found
            assert time.monotonic() < until, f"{condition} did not become true: {self.browser.said}"
            time.sleep(0.05)

    def close(self) -> None:
        self.browser.forget(self.session)
        self.browser.call("Target.closeTarget", targetId=self.target)

    def key(self, key: str, *modifiers: str) -> None:
        """Press a key, as a hand does: "a", "ArrowLeft", "Enter"; modifiers are Alt, Control, Meta and Shift."""
        held = sum({"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}[each] for each in modifiers)
        typed = {"text": {"Enter": "\r"}.get(key, key)} if len(key) == 1 or key == "Enter" else {}
        code = KEY_CODES.get(key) or (f"Digit{key}" if key.isdigit() else f"Key{key.upper()}")
        event = {"key": key, "code": code, "modifiers": held, "windowsVirtualKeyCode": VIRTUAL.get(key, 0)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **event, **({} if held & ~8 else typed))
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def press(self, selector: str) -> None:
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, selector: str) -> str:
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return found.strip()

    def choose(self, selector: str, *files: Path) -> None:
        """Choose files in an input of a form."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def picture(self) -> bytes:
        """A PNG of what is seen."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])


@contextlib.contextmanager
def chromium(program: str, profile: Path, video: Path | None = None, *switches: str) -> Iterator[Browser]:
    """A browser with a camera that shows a video: JPEG files, one after the other in one file."""
    shown = [] if video is None else [f"--use-file-for-fake-video-capture={video}"]
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    # The pipes are the numbers 3 and 4 of the browser, wherever they are here (a plain sh takes no number above 9).
    command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    process = subprocess.Popen(
        ["bash", "-c", command, "bash", program, *SWITCHES, *shown, *switches, f"--user-data-dir={profile}"],
        pass_fds=(theirs_in, theirs_out), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs_in)
    os.close(theirs_out)
    browser = Browser(process, to, back)
    try:
        browser.call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        yield browser
    finally:
        with contextlib.suppress(OSError, AssertionError):
            browser.send("Browser.close")
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to)
        os.close(back)
        shutil.rmtree(profile, ignore_errors=True)
