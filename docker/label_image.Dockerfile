# Labels photos without TensorFlow:
#
#   docker build -f docker/label_image.Dockerfile -t label_image .
#   docker run --rm --network none -v "$PWD:/photos:ro" -v "$HOME/tf_files:/tf_files:ro" label_image gato.jpg
#
# Serves one over HTTP (docs/serve.md):
#
#   docker run --rm -p 127.0.0.1:8501:8501 -v "$HOME/tf_files:/tf_files:ro" --entrypoint label_image label_image \
#       serve /tf_files/model --host 0.0.0.0
#
# With the model inside the image: --build-arg MODEL=tf_files/model; then /tf_files need not be mounted.
# Any Debian or Ubuntu image with Python 3.10 to 3.13 will do: docs/docker.md.
ARG BASE_IMAGE=docker.io/library/python:3.12-slim-bookworm
# hadolint ignore=DL3006
FROM ${BASE_IMAGE}

ENV LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp RETRAIN_IMAGE=label_image PATH=/opt/label_image/bin:$PATH

# A font for --plot, so that names keep their accents, and pip where the base has none. The newest pip of the base's
# distribution will do: what it installs has hashes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-dejavu-core \
    && { python3 -m pip --version || apt-get install --yes --no-install-recommends python3-pip; } \
    && apt-get clean && rm -rf /var/lib/apt/lists/*

# Behind a proxy, pip may need settings and a certificate of its own: they are secrets, and in no layer.
COPY docker/label_image.lock /opt/src/docker/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    python3 -m venv --system-site-packages --without-pip /opt/label_image \
    && python -m pip install --no-cache-dir --no-deps --require-hashes -r /opt/src/docker/label_image.lock

# Whoever runs this reads the files, also if only their owner could where they came from.
# What builds the package is not left behind, nor a second copy of it.
RUN --mount=type=bind,target=/context \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    mkdir -p /tmp/src/docs && cd /context && cp docs/install.md /tmp/src/docs/ \
    && cp -r pyproject.toml LICENSE label_image /tmp/src/ && chmod -R a+rX /tmp/src \
    && python -m pip install --no-cache-dir --no-deps --require-hashes -r docker/build.lock \
    && python -m pip install --no-cache-dir --no-deps --no-build-isolation /tmp/src \
    && python -m pip uninstall --yes setuptools \
    && rm -rf /tmp/src

ARG MODEL=
RUN --mount=type=bind,target=/context \
    mkdir /tf_files \
    && if [ -n "${MODEL}" ]; then \
        mkdir /tf_files/model && cp "/context/${MODEL}/model.tflite" "/context/${MODEL}/model.json" /tf_files/model/; \
    fi \
    && chmod -R a+rX /tf_files

ARG VERSION=unknown
ARG REVISION=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="label_image" \
      org.opencontainers.image.description="Says what is on photos, with a model of retrain." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

WORKDIR /photos
USER 1000:1000
# It answers and ends: there is nothing to be healthy. (Of a server Compose asks /v2/health/ready.)
HEALTHCHECK NONE
ENTRYPOINT ["label_image", "--model", "/tf_files/model"]
CMD ["--help"]
