# The pipeline on TensorFlow, on a GPU where there is one:
#
#   docker build -f docker/retrain.Dockerfile -t retrain .
#   docker run --rm --gpus all --user "$(id -u):$(id -g)" -v "$HOME/tf_files:/tf_files" -v "$PWD/cats:/cats:ro" \
#       retrain retrain --image_dir /cats
#
# For a machine without a GPU: --build-arg BASE_IMAGE=tensorflow/tensorflow:2.21.0
# Any Debian or Ubuntu image with python3 and python3-venv will do.
ARG BASE_IMAGE=tensorflow/tensorflow:2.21.0-gpu
FROM ${BASE_IMAGE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp PATH=/opt/retrain/bin:$PATH

# Dependencies first: this layer changes only with the lock file.
COPY requirements.lock /opt/src/
RUN python3 -m venv /opt/retrain \
    && pip install --no-cache-dir --require-hashes -r /opt/src/requirements.lock
COPY pyproject.toml README.md LICENSE /opt/src/
COPY retrain /opt/src/retrain
COPY label_image /opt/src/label_image
COPY scripts /opt/src/scripts
RUN pip install --no-cache-dir --no-deps --no-build-isolation /opt/src

# Relative paths such as tf_files/model mean the mounted folder, as they did in 2017.
WORKDIR /
RUN mkdir -p /tf_files && chmod 777 /tf_files
USER 1000:1000
CMD ["retrain", "--help"]
