#!/bin/sh
# TensorBoard is healthy when it answers; every other command ends by itself.
set -eu
grep -q tensorboard.main "${COMMAND_LINE:-/proc/1/cmdline}" || exit 0
# Without the proxy that the container may be given for downloads.
exec python -c '
import sys, urllib.request as request
request.build_opener(request.ProxyHandler({})).open(sys.argv[1], timeout=8)
' "${TENSORBOARD:-http://localhost:6006/}"
