#!/usr/bin/env bash
# Whether the locked dependencies install with another Python, and the program works with them:
#
#     scripts/smoke.sh python3.13 [FOLDER]
#
# A fresh environment is made in FOLDER (alone: a temporary one, removed afterwards). The tests that follow need no real
# photos: whole runs on three colours, `label_image`, and what is imported when.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"
folder="${2:-}"
if [ -z "$folder" ]; then
    folder="$(mktemp -d)"
    trap 'rm -rf "$folder"' EXIT
fi
"$python" --version
test -x "$folder/bin/python" || "$python" -m venv "$folder"
# The pip of Python 3.10 knows no hash of `etils` for `etils[epath]`.
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
"$folder/bin/python" -m pytest -q -rs -p no:cacheprovider \
    tests/e2e/test_{three_colours,command_of_2017,odd_data_sets}.py tests/label_image/test_cli.py tests/test_imports.py
