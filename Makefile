# Everything that is done with this project from its folder. `make` alone lists the targets.

PYTHON ?= python3
# Without IMAGE_DIR, cats are drawn. The default network came with the set-up: nothing has to be downloaded.
IMAGE_DIR ?=
ARCHITECTURE ?=
WEIGHTS ?=
OUTPUT_DIR ?= tf_files/model
IMAGE ?= tf_files/gato.jpg
# A public data set to fetch, such as cats-vs-dogs.
DATA ?=
# Any further options of `retrain`, for example ARGS="--seed 7 --summaries_dir tf_files/summaries"
ARGS ?=
# What `make report` adds to them.
PAGE :=

# As many processes share the tests; `make test WORKERS=0` runs them in one.
WORKERS ?= auto

BIN := .venv/bin
INSTALLED := .venv/.installed
CLUSTER_INSTALLED := .venv/.installed-cluster
# What builds the site is kept apart: nobody needs it to train or to label.
SITE := .venv-docs/bin
SITE_INSTALLED := .venv-docs/.installed

# What runs a model in a browser: npm's packages by a lock file, bundled, and never committed.
RUNTIME := label_image/web/runtime/worker.js
RUNTIME_SOURCES := web/package.json web/package-lock.json web/build.mjs web/worker.js web/preprocessing.js LICENSE

# A module's tests stay together, for they share what is made for them; tests/conftest.py puts the long ones first.
PYTEST = $(BIN)/python -m pytest -q --numprocesses $(WORKERS) --maxprocesses 8 --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup cluster fetch retrain report label serve studio export tflite web web-runtime web-check tensorboard bench test test-fast coverage smoke wheel-check release words docs lint lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 20

setup: $(INSTALLED)  ## Install the locked dependencies into .venv (other targets do it when needed)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module: on Debian or Ubuntu, run 'apt-get install python3-venv'." >&2; exit 1; }
	@echo "Setting up .venv: this takes a minute or two, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@# The pip of Python 3.10 knows no hash of `etils` for `etils[epath]`.
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=24"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@# Until 0.1.0 the distribution had another project's name: removed first, for its scripts have the same names.
	@$(BIN)/python -m pip uninstall -qq --yes retrain
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $@

cluster: $(CLUSTER_INSTALLED)  ## Install what only some need into .venv, too: Ray and object storage (docs/cluster.md), int8 (docs/speed.md)

$(CLUSTER_INSTALLED): requirements-cluster.lock $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-cluster.lock
	@touch $@

fetch: $(INSTALLED)  ## Get the public data set DATA=name into tf_files/data; alone: list their names
	@$(BIN)/retrain fetch $(if $(DATA),"$(DATA)") $(ARGS)

retrain:  ## Retrain on IMAGE_DIR=folder [ARCHITECTURE=… WEIGHTS=… OUTPUT_DIR=… ARGS=…]; alone: a demo
report:  ## Retrain likewise, and write tf_files/report.html, a page to open
report: PAGE := --report tf_files/report.html
# One recipe, and no make inside of it: ARGS would have to be quoted for that, with the quotes that it holds itself.
retrain report: $(INSTALLED)
ifeq ($(IMAGE_DIR),)
	@$(BIN)/retrain demo tf_files/demo_cats --photo tf_files/gato.jpg
	@$(BIN)/retrain --image_dir tf_files/demo_cats --output_dir "$(OUTPUT_DIR)" \
		$(if $(ARCHITECTURE),--architecture "$(ARCHITECTURE)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(PAGE) $(ARGS)
else
	@$(BIN)/retrain --image_dir "$(IMAGE_DIR)" --output_dir "$(OUTPUT_DIR)" \
		$(if $(ARCHITECTURE),--architecture "$(ARCHITECTURE)") $(if $(WEIGHTS),--weights "$(WEIGHTS)") $(PAGE) $(ARGS)
endif

label: $(INSTALLED)  ## Label IMAGE=photo (or a folder) with the model of OUTPUT_DIR
	@$(BIN)/label_image --model "$(OUTPUT_DIR)" $(ARGS) "$(IMAGE)"

serve: $(INSTALLED)  ## Serve the model of OUTPUT_DIR: a camera page, and HTTP for programs [ARGS="--host 0.0.0.0 --https"]
	@$(BIN)/label_image serve "$(OUTPUT_DIR)" $(ARGS)

# Where there is npm: the phone's page can be written then.
studio: $(INSTALLED) $(if $(shell command -v npm 2>/dev/null),$(RUNTIME))  ## Collect, label, train and try in a browser, on IMAGE_DIR=folder [ARGS="--phone"]; alone: tf_files/studio
	@$(BIN)/retrain studio "$(or $(IMAGE_DIR),tf_files/studio)" $(ARGS)

export: $(INSTALLED)  ## Write the model of OUTPUT_DIR in more formats, tried on IMAGE_DIR=folder [TO=onnx,tflite_int8,…; alone: all]
	@$(BIN)/retrain export "$(OUTPUT_DIR)" $(if $(findstring --to,$(ARGS)),,--to "$(or $(TO),all)") --image_dir "$(or $(IMAGE_DIR),tf_files/demo_cats)" $(ARGS)

tflite: $(INSTALLED)  ## Write the model of OUTPUT_DIR as TFLite of every precision, tried on IMAGE_DIR=folder
	@$(MAKE) --no-print-directory export TO=tflite,tflite_float16,tflite_dynamic,tflite_int8

web: $(INSTALLED) $(RUNTIME)  ## Write the camera page of the model of OUTPUT_DIR, tried on IMAGE_DIR=folder [TO=web_int8]
	@$(MAKE) --no-print-directory export TO="$(or $(TO),web)"

web-runtime: $(RUNTIME)  ## Build what runs a model in a browser (needs Node and npm): then wheels, images and exports have it

$(RUNTIME): $(RUNTIME_SOURCES)
	@command -v npm >/dev/null || { echo "npm is missing: on Debian or Ubuntu, run 'apt-get install nodejs npm'." >&2; exit 1; }
	@cd web && npm ci --ignore-scripts --silent && node build.mjs

web-check: $(RUNTIME)  ## Check the types of the camera page's code
	@cd web && { test -d node_modules || npm ci --ignore-scripts --silent; } && npm run --silent check

tensorboard: $(INSTALLED)  ## Serve tf_files/training_summaries on http://localhost:6006
	@$(BIN)/tensorboard --logdir tf_files/training_summaries

bench: $(INSTALLED)  ## Measure speed on IMAGE_DIR=folder (alone: the demo) [ARGS="--architecture NAME …"]: a table, and JSON
	@$(BIN)/python scripts/bench.py $(if $(IMAGE_DIR),--image_dir "$(IMAGE_DIR)") $(ARGS)

test: $(CLUSTER_INSTALLED)  ## Run all tests (those on real photos where ../shared is) [WORKERS=2]
	@$(PYTEST) -rs

test-fast: $(CLUSTER_INSTALLED)  ## Run the tests but those on real photos, with kills and in a browser
	@$(PYTEST) -m "not real and not kills and not browser"

coverage: $(CLUSTER_INSTALLED)  ## Run all tests, and say which share of the lines of retrain and label_image they run
	@$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=html

smoke:  ## Install the lock for PYTHON=python3.13 aside, and train, label and export with it [SMOKE=folder]
	@scripts/smoke.sh "$(PYTHON)" "$(SMOKE)"

wheel-check: $(INSTALLED)  ## Install the package with PYTHON=python3.13 into empty environments, and use it there [WHEEL=file]
	@scripts/check_wheel.sh "$(PYTHON)" "$(WHEEL)"

release: $(INSTALLED)  ## Build and check the package of a committed version, and say how it is tagged [ARGS=--draft]
	@$(BIN)/python scripts/release.py $(ARGS)

words: $(INSTALLED)  ## Bring what pages say in other languages (retrain/locales) up to what the code says
	@$(BIN)/python -m scripts.words

docs: $(INSTALLED) $(SITE_INSTALLED)  ## Build the site of docs/, strictly, and with its references: build/site/index.html
	@$(BIN)/python -m scripts.site_pages build/docs
	@NO_MKDOCS_2_WARNING=1 $(SITE)/mkdocs build --strict --quiet
	@echo "Open build/site/index.html. Its search needs a server: python3 -m http.server --directory build/site"

$(SITE_INSTALLED): requirements-docs.lock
	@test -x $(SITE)/python || $(PYTHON) -m venv .venv-docs
	@$(SITE)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-docs.lock
	@touch $@

lint: $(INSTALLED)  ## Check style, types and the layers of imports
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/mypy tests/api/typed_script.py && $(BIN)/lint-imports

lock: $(INSTALLED)  ## Pin the newest dependencies that fit pyproject.toml into requirements.lock
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra train --extra openvino --extra tfds --extra report --extra export --extra arduino --extra serve --extra dev \
		--generate-hashes --no-header --no-emit-find-links pyproject.toml --output-file requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra serve --constraint requirements.lock \
		--generate-hashes --no-header --no-emit-find-links pyproject.toml --output-file docker/label_image.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra train --extra openvino --extra tfds --extra report --extra export --extra serve \
		--constraint requirements.lock --generate-hashes --no-header --no-annotate --no-emit-find-links pyproject.toml \
		--output-file docker/retrain.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra train --extra ray --extra storage --extra int8 --extra hub --extra mlflow --extra dev-cluster --constraint requirements.lock \
		--generate-hashes --no-header --no-annotate --no-emit-find-links pyproject.toml --output-file requirements-cluster.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --extra ray --extra storage --constraint requirements.lock \
		--generate-hashes --no-header --no-annotate --no-emit-find-links pyproject.toml --output-file docker/cluster.lock
	@echo 'setuptools>=77,<81' | $(BIN)/uv pip compile --quiet --universal --python-version 3.10 \
		--constraint requirements.lock --generate-hashes --no-header --no-annotate --no-emit-find-links - \
		--output-file docker/build.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --group docs \
		--generate-hashes --no-header --no-annotate --no-emit-find-links --output-file requirements-docs.lock

include docker/docker.mk

clean:  ## Remove .venv and caches; never anything in tf_files
	rm -rf .venv .venv-docs build dist web/node_modules label_image/web/runtime .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* htmlcov *.egg-info
