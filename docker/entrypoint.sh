#!/bin/sh
# The commands of the container; options alone are for `retrain`.
set -eu
case "${1:-}" in
retrain | label_image | bash)
    exec "$@"
    ;;
tensorboard)
    shift
    export TF_CPP_MIN_LOG_LEVEL=3 # or TensorFlow tells of every GPU that it does not find
    # Options that are given again win.
    exec python -m tensorboard.main --bind_all --logdir tf_files/training_summaries "$@"
    ;;
ray) # a node of a cluster: docs/cluster.md
    if ! command -v ray > /dev/null; then
        echo "Error: this image has no Ray: build it with --build-arg CLUSTER=yes (make docker-build CLUSTER=yes)." >&2
        exit 2
    fi
    # Without the second one, a head would report to Ray's makers that it reports nothing.
    export RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9/
    exec "$@"
    ;;
-*)
    exec retrain "$@"
    ;;
*)
    echo "Error: '${1:-}' is not a command of this container: it has retrain, label_image, tensorboard and bash." >&2
    exit 2
    ;;
esac
