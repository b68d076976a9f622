#!/usr/bin/env bash
# Build both images and use them, where there is no Docker daemon and no registry of images: on Debian, as root,
# with podman, buildah and runc, on a base made of Debian's own packages. What such a machine needs stands here
# and not in the Dockerfiles. The tests themselves: tests/docker/check_container.py.
set -euo pipefail
cd "$(dirname "$0")/.."

. /etc/os-release
base="localhost/retrain-test-base:${VERSION_CODENAME:?this needs Debian}"
if [ "$(id -u)" != 0 ]; then
    echo "Error: this installs packages and runs containers without a daemon: run it as root." >&2
    exit 1
fi

missing=()
for program in podman buildah runc mmdebstrap; do
    command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update --quiet=2
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends "${missing[@]}"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! podman image exists "$base"; then
    mmdebstrap --quiet --variant=minbase --include=python3,python3-pip,ca-certificates "$VERSION_CODENAME" "$work/base.tar"
    podman import --quiet "$work/base.tar" "$base" >/dev/null
    rm "$work/base.tar"
fi

# crun refuses some cgroups that runc takes, and podman's own limits may be higher than this machine's.
export DOCKER="podman --runtime $(command -v runc)"
export DOCKER_RUN_ARGS="--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --no-healthcheck"
# The build reaches the packages as this machine does.
export DOCKER_BUILD_ARGS="--isolation oci --format docker --network host --volume /etc/ssl/certs:/etc/ssl/certs:ro"
if [ -f /etc/pip.conf ]; then
    DOCKER_BUILD_ARGS+=" --secret id=pip.conf,src=/etc/pip.conf"
fi
export BASE_IMAGE=$base TRAINING_IMAGE=localhost/retrain-test LABELLING_IMAGE=localhost/label-image-test

began=$SECONDS
make --no-print-directory docker-build >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; exit 1; }
echo "Both images are built: $((SECONDS - began)) s."
.venv/bin/python -m pytest -q --basetemp "$work/pytest" "$@" tests/docker/check_container.py
echo "test-docker: $SECONDS s in all."
