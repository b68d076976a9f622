"""Run the TF.js model of an export in TensorFlow.js itself, by its own client program, and compare with the SavedModel.

    npm install --prefix FOLDER @tensorflow/tfjs@4
    python scripts/check_tfjs.py EXPORT PHOTOS --node_modules FOLDER/node_modules [--chromium chromium --photos 12]

EXPORT holds `tfjs/` and `clients/` (retrain export EXPORT --to tfjs). Without --chromium it is run in Node, on pixels
as `label_image` prepares them; with it in Chromium, on the photo files too, which a canvas prepares otherwise.
"""

import argparse
import base64
import functools
import json
import subprocess
import sys
import tempfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import numpy as np

from label_image.model import load_model, saved_model_runner
from label_image.preprocessing import read_photo
from retrain.exports.proof.reference import spread

NODE = """
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
const [folder, modules, file] = process.argv.slice(2);
const tf = createRequire(modules + "/")("@tensorflow/tfjs");
const { SIZE, classify } = await import(folder + "/clients/classify.mjs");
const json = JSON.parse(readFileSync(folder + "/tfjs/model.json"));
const paths = json.weightsManifest.flatMap((group) => group.paths);
const data = Buffer.concat(paths.map((path) => readFileSync(folder + "/tfjs/" + path)));
const weightData = data.buffer.slice(data.byteOffset, data.byteOffset + data.length);
const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
const model = await tf.loadGraphModel(tf.io.fromMemory({ ...json, weightSpecs, weightData }));
const photos = JSON.parse(readFileSync(file));
const before = tf.memory().numTensors;
const answers = photos.map(({ pixels }) => {
  const values = Uint8Array.from(Buffer.from(pixels, "base64"));
  const begun = performance.now();
  const answer = classify(tf, model, tf.tensor3d(values, [SIZE, SIZE, 3], "int32"));
  return { pixels: answer, milliseconds: performance.now() - begun };
});
console.log(JSON.stringify({ answers, leaked: tf.memory().numTensors - before }));
"""
PAGE = """<!doctype html><script src="/tf.min.js"></script><script type="module">
import { SIZE, classify, pixelsOf } from "/clients/classify.mjs";
const model = await tf.loadGraphModel("/tfjs/model.json");
const photos = await (await fetch("/photos.json")).json();
const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const answers = [];
for (const { pixels, file } of photos) {
  const begun = performance.now();
  const answer = classify(tf, model, tf.tensor3d(bytes(pixels), [SIZE, SIZE, 3], "int32"));
  const milliseconds = performance.now() - begun;
  const ofFile = classify(tf, model, await pixelsOf(tf, new Blob([bytes(file)])));
  answers.push({ pixels: answer, milliseconds, file: ofFile });
}
await fetch("/answers", { method: "POST", body: JSON.stringify({ answers, backend: tf.getBackend() }) });
</script>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", type=Path)
    parser.add_argument("source", type=Path, metavar="PHOTOS", help="a folder of photos, in any depth")
    parser.add_argument("--node_modules", type=Path, required=True)
    parser.add_argument("--chromium", help="a Chromium, instead of Node")
    parser.add_argument("--photos", type=int, default=12)
    options = parser.parse_args()
    export, modules = options.export.resolve(), options.node_modules.resolve()
    model = load_model(export)
    files = sorted(path for path in options.source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    data = [read_photo(files[index]) for index in spread(len(files), options.photos)]
    pixels = np.stack([model.preprocessing.pixels(photo) for photo in data])
    expected = saved_model_runner(export)(pixels)
    sent = json.dumps(
        [
            {"pixels": base64.b64encode(one.tobytes()).decode(), "file": base64.b64encode(photo).decode()}
            for one, photo in zip(pixels, data, strict=True)
        ]
    )
    said = in_chromium(options.chromium, export, modules, sent) if options.chromium else in_node(export, modules, sent)
    answers = said.pop("answers")
    print(f"{len(data)} photos; {said}")
    unknown = model.refuses(expected)
    failed = False
    for name in ("pixels", "file"):
        if name not in answers[0]:
            continue
        scores = np.array([[answer[name]["scores"][label] for label in model.labels] for answer in answers])
        apart = float(np.abs(scores - expected.probabilities).max())
        same = float((scores.argmax(axis=1) == expected.probabilities.argmax(axis=1)).mean())
        agree = None if unknown is None else float(np.mean([a[name]["unknown"] for a in answers] == unknown))
        print(f"{name}: greatest |dp| {apart:.2g}, same first answer {same:.0%}, same unknown {agree}")
        failed |= name == "pixels" and not (apart <= 1e-4 and same == 1)
    print(f"median {np.median([answer['milliseconds'] for answer in answers]):.0f} ms per photo")
    sys.exit(1 if failed else 0)


def in_node(export: Path, modules: Path, sent: str) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        program, photos = Path(folder, "run.mjs"), Path(folder, "photos.json")
        program.write_text(NODE)
        photos.write_text(sent)
        done = subprocess.run(["node", program, export, modules, photos], stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_chromium(chromium: str, export: Path, modules: Path, sent: str) -> dict:
    library = (modules / "@tensorflow/tfjs/dist/tf.min.js").read_bytes()
    pages = {"/": PAGE.encode(), "/photos.json": sent.encode(), "/tf.min.js": library}
    received: list[dict] = []
    arrived = Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in pages:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if self.path == "/" else "application/octet-stream")
            self.end_headers()
            self.wfile.write(pages[self.path])

        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=export)) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        with tempfile.TemporaryDirectory() as profile:
            flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
            url = f"http://127.0.0.1:{http.server_port}/"
            browser = subprocess.Popen([chromium, *flags, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                if not arrived.wait(300):
                    sys.exit("Chromium did not answer within 5 minutes.")
            finally:
                browser.terminate()
                browser.wait()
        http.shutdown()
    return received[0]


if __name__ == "__main__":
    main()
