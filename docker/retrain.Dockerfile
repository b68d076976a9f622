# The pipeline on TensorFlow, on a GPU where there is one:
#
#   docker build -f docker/retrain.Dockerfile -t retrain .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$HOME/tf_files:/tf_files" -v "$PWD/cats:/cats:ro" \
#       retrain retrain --image_dir /cats
#
# For a machine without a GPU: --build-arg BASE_IMAGE=docker.io/tensorflow/tensorflow:2.21.0
# Any Debian or Ubuntu image with Python 3.10 to 3.13 will do: docs/docker.md.
ARG BASE_IMAGE=docker.io/tensorflow/tensorflow:2.21.0-gpu
# hadolint ignore=DL3006
FROM ${BASE_IMAGE}

# Whoever runs this need not be in /etc/passwd, and may write to /tmp and /tf_files alone.
ENV LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/tmp USER=retrain RETRAIN_IMAGE=retrain \
    TFDS_DATA_DIR=/tf_files/tensorflow_datasets TFHUB_CACHE_DIR=/tf_files/models/tfhub \
    PATH=/opt/retrain/bin:$PATH

# The newest pip of the base's distribution will do: what it installs has hashes.
# hadolint ignore=DL3008
RUN python3 -m pip --version \
    || { apt-get update && apt-get install --yes --no-install-recommends python3-pip && rm -rf /var/lib/apt/lists/*; }

# Behind a proxy, pip may need settings and a certificate of its own: they are secrets, and in no layer.
# Dependencies first: this layer changes only with the lock file. A base that brings TensorFlow keeps it,
# so that there are not two of them; the libraries of CUDA are the base's.
# CLUSTER=yes: with Ray and object storage, 400 MB more (docs/cluster.md).
ARG CLUSTER=
COPY docker/retrain.lock docker/cluster.lock docker/left_to_install.py /opt/src/docker/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    python3 -m venv --system-site-packages --without-pip /opt/retrain \
    && python /opt/src/docker/left_to_install.py /opt/src/docker/retrain.lock > /tmp/left.lock \
    && python -m pip install --no-cache-dir --no-deps --require-hashes -r /tmp/left.lock \
    && rm /tmp/left.lock \
    && if [ -n "${CLUSTER}" ]; then \
        python -m pip install --no-cache-dir --no-deps --require-hashes -r /opt/src/docker/cluster.lock \
        && echo 'PATH=/opt/retrain/bin:$PATH' > /etc/profile.d/retrain.sh; fi  # KubeRay starts Ray in a login shell

COPY pyproject.toml LICENSE /opt/src/
COPY docs/install.md /opt/src/docs/
COPY retrain /opt/src/retrain
COPY label_image /opt/src/label_image
COPY scripts /opt/src/scripts
COPY docker/entrypoint.sh docker/healthcheck.sh /opt/src/docker/
# Whoever runs this reads the files, also if only their owner could where they came from.
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=ca.crt \
    chmod -R a+rX /opt/src \
    && python -m pip install --no-cache-dir --no-deps --no-build-isolation /opt/src \
    && mkdir -p /tf_files && chmod 1777 /tf_files

# The weights of other networks than the default one, such as inception_v3: what the image has is not downloaded again.
ARG ARCHITECTURE=
RUN --mount=type=secret,id=ca.crt \
    if [ -n "${ARCHITECTURE}" ]; then \
        if [ -f /run/secrets/ca.crt ]; then export SSL_CERT_FILE=/run/secrets/ca.crt; fi; \
        python /opt/src/scripts/fetch_weights.py --for_all "${ARCHITECTURE}" && chmod -R a+rX /opt/retrain/share/retrain; \
    fi

ARG VERSION=unknown
ARG REVISION=unknown
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="retrain" \
      org.opencontainers.image.description="Retrains an image classifier on a folder of photos per class." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"

# Relative paths such as tf_files/model mean the mounted folder, as they did in 2017.
WORKDIR /
USER 1000:1000
EXPOSE 6006
# As Ctrl-C does: what was computed is kept.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["sh", "/opt/src/docker/healthcheck.sh"]
ENTRYPOINT ["sh", "/opt/src/docker/entrypoint.sh"]
CMD ["retrain", "--help"]
