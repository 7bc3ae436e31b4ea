# make repro   the whole pipeline, from nothing to MLflow and reports/site/index.html
# make test    every test
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 5000
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1

.PHONY: help setup repro quick study ui test test-kills lint bench readme clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "make quick   the same pipeline on a small setting, in .quick/"
	@echo "make study   many new seeds and the claims about them, in .study/, brought to docs/study/ (hours)"
	@echo "make ui      MLflow on http://127.0.0.1:$(PORT) (PORT=... for another)"
	@echo "make test-kills  kill every stage at 30 random moments or more (make test: at a dozen)"
	@echo "make lint    formatting, lint, types, and who may import whom"
	@echo "make bench   the measurements behind every figure in README.md"
	@echo "make readme  the numbers in README.md, from the measurements"
	@echo "make clean   remove all results, kept replicas and the database; the environment stays"

setup: .venv/.complete

.venv/.complete: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; v == (3, 11) or sys.exit(f"Seedscope is locked to Python 3.11, and $(PYTHON) is {v[0]}.{v[1]}: say make PYTHON=/path/to/python3.11")'
	base=$$($(PYTHON) -c 'import sys; print(sys.base_prefix)')/bin/python3.11 && rm -rf .venv && $$base -m venv .venv # $(PYTHON) may lie in .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

repro: setup
	@python -m pipeline.compose # of a params.yaml in the wrong shape DVC itself would only say that it cannot read it
	dvc repro
	@echo "Open reports/site/index.html, or browse the runs with: make ui"

# A copy of the working tree with a params.yaml of its own, so that nothing here changes.
define aside
	mkdir -p $(1)
	git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- -cf - | tar -xf - -C $(1)
	cp params.$(2).yaml $(1)/params.yaml
	git -C $(1) init --quiet
	cd $(1) && dvc repro
endef

quick: setup
	rm -rf .quick
	$(call aside,.quick,quick)
	@echo "Open .quick/reports/site/index.html"

study: setup # what was trained and measured before is kept: it goes on where it was stopped
	$(call aside,.study,study)
	python -m docs.study .study
	@echo "Open .study/reports/site/index.html, or read docs/study/README.md"

ui: setup
	@echo "MLflow on http://127.0.0.1:$(PORT)"
	@test ! -e mlflow.db || python -c 'from pathlib import Path; from seedscope.tracking.database import settle; settle(Path("mlflow.db").resolve())' # the folder may have been moved
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow server --workers 1 --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri sqlite:///mlflow.db --artifacts-destination ./mlartifacts

test: setup
	python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-kills: setup
	SEEDSCOPE_TEST_KILLS=30 python -m pytest -n 2 -rP tests/pipeline/test_killed.py tests/tracking/test_killed.py

lint: setup
	ruff format --check .
	ruff check .
	mypy
	lint-imports

bench: setup
	python -m benchmarks

readme: setup
	python -m docs.readme

clean:
	rm -rf runs reports/figures reports/drawn reports/site .replicas .quick .study mlflow.db* mlartifacts dvc_plots
	rm -rf .dvc/cache .dvc/tmp
