# Labels photos without TensorFlow:
#
#   docker build -f docker/label_image.Dockerfile -t label_image .
#   docker run --rm -v "$PWD:/photos:ro" -v "$HOME/tf_files:/tf_files:ro" label_image /photos/gato.jpg
ARG BASE_IMAGE=python:3.12-slim-bookworm
FROM ${BASE_IMAGE}

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PATH=/opt/label_image/bin:$PATH

COPY docker/label_image.lock /opt/src/
RUN python3 -m venv /opt/label_image \
    && pip install --no-cache-dir --require-hashes -r /opt/src/label_image.lock
COPY pyproject.toml README.md LICENSE /opt/src/
COPY retrain/__init__.py retrain/images.py retrain/errors.py retrain/py.typed /opt/src/retrain/
COPY label_image /opt/src/label_image
RUN pip install --no-cache-dir --no-deps /opt/src

WORKDIR /
USER 1000:1000
ENTRYPOINT ["label_image"]
CMD ["--help"]
