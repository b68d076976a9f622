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
-*)
    exec retrain "$@"
    ;;
*)
    echo "Error: '${1:-}' is not a command of this container: it has retrain, label_image, tensorboard and bash." >&2
    exit 2
    ;;
esac
