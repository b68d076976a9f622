#!/usr/bin/env bash
# Install the wheel with another Python into empty environments, from the package index, and use it there:
#
#     scripts/check_wheel.sh python3.13 [WHEEL]
#
# The base alone labels a photo, [train] trains the demo, [export] writes ONNX, [serve] answers over HTTP. Versions are those
# of requirements.lock. Without WHEEL one is built of what is there, for which `make setup` has to have run. It takes
# minutes and 4 GB of temporary space. tests/packaging looks at the same without an index.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"
wheel="${2:-}"
work="$(mktemp -d)"
server=
trap 'test -z "$server" || kill "$server"; rm -rf "$work"' EXIT
if [ -z "$wheel" ]; then
    .venv/bin/python scripts/release.py --draft --output_dir "$work/dist" >/dev/null
    wheel="$(echo "$work"/dist/*.whl)"
fi
wheel="$(realpath "$wheel")"
grep == requirements.lock | tr -d '\\' >"$work/constraints.txt"
"$python" --version

install() {  # ENVIRONMENT EXTRAS: with a pip that is no part of what is measured
    test -x "$work/$1/bin/python" || "$python" -m venv "$work/$1"
    "$work/$1/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile \
        --constraint "$work/constraints.txt" "$wheel$2"
}

megabytes() {  # ENVIRONMENT: of what was installed, without pip, setuptools and bytecode
    "$work/$1/bin/python" - <<'PYTHON'
from importlib.metadata import distributions
files = [file.locate() for found in distributions() if found.metadata["Name"] not in ("pip", "setuptools")
         for file in found.files or () if file.suffix != ".pyc"]
print(sum(file.stat().st_size for file in files if file.is_file()) // 10**6)
PYTHON
}

unset PYTHONPATH
install base ""
installed="$(megabytes base)"
test "$installed" -lt 200 || { echo "Error: the base has $installed MB." >&2; exit 1; }
! "$work/base/bin/python" -c "import tensorflow" 2>/dev/null || { echo "Error: the base has TensorFlow." >&2; exit 1; }
echo "base: $installed MB"

install train "[train]"
cd "$work"
train/bin/retrain demo cats --photo gato.jpg
train/bin/retrain --image_dir cats --output_dir model
base/bin/label_image --model model gato.jpg
base/bin/python -m label_image --model model --json gato.jpg | grep -q '"label": "tabby"'
echo "train: $(megabytes train) MB"

install train "[export]"
train/bin/retrain export model --to onnx --image_dir cats
install labels_onnx "[export]"
labels_onnx/bin/label_image --model model/model.onnx --json gato.jpg | grep -q '"label": "tabby"'
echo "export: model.onnx written, and run without TensorFlow"

install serve "[serve]"
serve/bin/label_image serve model --port 0 >said.txt & server=$!
for _ in $(seq 600); do
    address="$(grep -o 'http://127.0.0.1:[0-9]*' said.txt | head -1)" && break
    kill -0 "$server"
    sleep 0.1
done
serve/bin/python - "$address" <<'PYTHON'
import sys
from pathlib import Path
from urllib.request import Request, urlopen
asked = Request(sys.argv[1] + "/label", Path("gato.jpg").read_bytes(), {"Content-Type": "image/jpeg"})
answer = urlopen(asked).read().decode()
assert "tabby" in answer, answer
assert b"<html" in urlopen(sys.argv[1]).read()
PYTHON
kill "$server"
wait "$server"
server=
echo "serve: a photo is labelled, and the camera page is there"
echo "$("$work/base/bin/python" --version): all of it works."
