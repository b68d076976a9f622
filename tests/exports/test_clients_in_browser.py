"""clients/classify.mjs on a camera, in Chromium; TensorFlow.js itself is run by scripts/check_tfjs.py."""

import json
from pathlib import Path

import pytest
from camera import video
from chromium import chromium
from PIL import Image
from static_host import hosted

from retrain.exports.clients import write_clients

# In place of TensorFlow.js: a photo's pixels are their mean, and a probability is a channel's share of it.
PAGE = b"""<!doctype html><link rel="icon" href="data:,"><video id="video" muted playsinline></video>
<script type="module">
import { LABELS, watch } from "./classify.mjs";
const tensor = (values) => ({ dataSync: () => Float32Array.from(values) });
let kept = 0;
const tf = {
  tidy: (run) => run(),
  dispose: () => { kept--; },
  browser: { fromPixels: ({ data }) => {
    kept++;
    const mean = [0, 1, 2].map((channel) => data.filter((_, index) => index % 4 === channel).reduce((a, b) => a + b));
    return { toFloat: () => ({ expandDims: () => mean }) };
  } },
};
const model = { execute: ({ image }) => {
  const sum = image.reduce((one, other) => one + other);
  return [tensor(image.map((value) => value / sum)), tensor([1])];
} };
video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
await video.play();
window.answers = [];
window.kept = () => kept;
window.stop = watch(tf, model, video, (answer) => answers.push(answer));
</script>"""


@pytest.mark.browser
def test_frames_of_a_camera_are_labelled_until_it_is_stopped(browser: str, tmp_path: Path) -> None:
    manifest = {
        "format": "retrain-export", "format_version": 1, "labels": ["red", "green", "blue"],
        "preprocessing": "decode|orient|resize(8,bilinear)", "input": {"size": 8}, "unknown": {"threshold": 0.5},
    }  # fmt: skip
    (tmp_path / "model.json").write_text(json.dumps(manifest))
    write_clients(tmp_path)
    client = (tmp_path / "clients" / "classify.mjs").read_bytes()
    shown = video(tmp_path / "camera.mjpeg", [Image.new("RGB", (320, 240), (40, 200, 60))])
    with hosted() as host, chromium(browser, tmp_path / "profile", shown) as running:
        page = running.open(host.serve("", {"index.html": PAGE, "classify.mjs": client}))
        page.wait("window.answers && answers.length > 5")
        assert page.run("new Set(answers.map(({ label }) => label)).size") == 1
        answer = page.run("answers[0]")
        assert answer["label"] == "green" and answer["unknown"] is False and 0.6 < answer["probability"] < 0.75
        page.run("stop()")
        page.wait("kept() === 0")
        stopped = page.run("answers.length")
        page.run("new Promise((done) => setTimeout(done, 300))")
        assert page.run("answers.length") == stopped
        assert running.said == []
