"""Pages in Debian's Chromium, without a window: opened in a frame of a given width, and driven from beside it."""

import html
import json
import re
import subprocess
from pathlib import Path
from typing import Any

ATTEMPTS = 3
# Chromium's clock jumps ahead whenever no timer runs: over a blob that is still being read, say, and then its time is
# over before the script is. So a timer runs; and where the machine is that busy, it is tried again.
# The page's own policy lets no script in: this one is outside, in the page around the frame.
AROUND = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><body><script>
const frame = document.createElement("iframe");
frame.width = Number(location.hash.slice(1)); frame.height = 800; frame.src = "page.html";
const pause = (test) => new Promise(done => {
  const look = () => test() ? done() : setTimeout(look, 20);
  look();
});
const ticking = setInterval(() => {}, 1);
frame.onload = async () => {
  const page = frame.contentDocument, view = frame.contentWindow;
  for (const image of page.images) image.loading = "eager";
  await pause(() => [...page.images].every(image => image.complete));
  const found = await (async () => { SCRIPT })();
  const out = document.createElement("pre");
  out.textContent = JSON.stringify(found);
  document.body.append(out);
  clearInterval(ticking);
};
document.body.append(frame);
</script>"""


def driven(browser: str, server: Any, page: str, script: str, width: int, profile: Path) -> tuple[Any, list[str]]:
    """What a script returns that has the page as `page` and its window as `view`, and what was said on the console."""
    around = AROUND.replace("SCRIPT", script)
    server.pages = {"/frame.html": (200, around.encode(), None), "/page.html": (200, page.encode(), None)}
    for attempt in range(ATTEMPTS):
        done = subprocess.run(
            [
                browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}.{attempt}",
                "--enable-logging=stderr", "--log-level=0", "--virtual-time-budget=20000", "--window-size=1400,1000",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                "--dump-dom", f"{server.url}frame.html#{width}",
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        found = re.findall(r"<pre>(.*?)</pre>", done.stdout.rpartition("</iframe>")[2], re.S)
        if found:
            said = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
            return json.loads(html.unescape(found[0])), said
    raise AssertionError(f"the script did not come to its end: {done.stderr[-2000:]}")
