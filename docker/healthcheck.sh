#!/bin/sh
# TensorBoard is healthy when it answers; every other command ends by itself.
set -eu
grep -q tensorboard.main "${COMMAND_LINE:-/proc/1/cmdline}" || exit 0
exec python -c 'import urllib.request; urllib.request.urlopen("http://localhost:6006/", timeout=8)'
