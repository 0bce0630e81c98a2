# `make demo` and `make test` are all that a newcomer needs: both make the environment themselves.
# Nothing is assumed but Python 3.11 or later (with venv) and make.

PYTHON ?= python3
VENV ?= .venv
AIRFLOW ?= .venv-airflow
DEMO ?= demo
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo demo-full test test-slow crash airflow airflow-constraints drifts lint bench judgement constraints browser mariadb sshd clean

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo: $(VENV)/.installed ## Refresh a demo warehouse, from pull to published snapshot (about a minute)
	@test -f $(DEMO)/synth.yaml || $(BIN)/prefect-synth init --demo --project $(DEMO)
	$(BIN)/prefect-synth refresh --project $(DEMO)

demo-full: $(VENV)/.installed ## The same with all 2,469 households (1.4 million transactions)
	@test -f $(DEMO)-full/synth.yaml || $(BIN)/prefect-synth init --demo --full --project $(DEMO)-full
	$(BIN)/prefect-synth refresh --project $(DEMO)-full

test: $(VENV)/.tested lint ## Lint, type-check and run the tests (under 15 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-slow: $(VENV)/.tested ## The tests that take minutes: every data set, every row model, PostgreSQL
	$(BIN)/python -m pytest -m slow

crash: $(VENV)/.tested ## Kill publishers 200 times and the S3 server too, and count torn reads (five minutes)
	$(BIN)/python -m pytest -m slow -s -k "kill or trouble" tests/tasks/snapshots

airflow: $(VENV)/.tested $(AIRFLOW)/.installed ## Run the DAG in a real Airflow, in an environment of its own (ten minutes)
	SYNTH_AIRFLOW=$(abspath $(AIRFLOW)/bin/airflow) $(BIN)/python -m pytest -m "slow or not slow" tests/flows/test_airflow.py

airflow-constraints: $(AIRFLOW)/.installed ## Write deployments/airflow/constraints.txt from the environment
	@echo "# Airflow in an environment of its own, in exact versions that were tried together with the DAG." > constraints.new
	@echo "# Made by 'make airflow-constraints'." >> constraints.new
	@$(AIRFLOW)/bin/python -m pip freeze | grep -viE '^(pip|setuptools|wheel)\b' | sort -fu >> constraints.new
	@mv constraints.new deployments/airflow/constraints.txt

drifts: $(VENV)/.tested ## Every kind of drift by every policy: a small database, the demo, sakila (about 8 minutes of one processor)
	$(BIN)/python -m pytest -m "slow or not slow" tests/flows/test_drift_matrix.py

nights: $(VENV)/.tested ## Whole nights with a worker: a column appears, a worker is killed, and nobody acts (a quarter of an hour)
	$(BIN)/python -m pytest -m slow tests/flows/test_schema_change.py tests/flows/test_nights.py

scale: $(VENV)/.tested ## Publish with processes, Dask (1, 2, 4 workers) and Ray, and compare the bytes (installs Ray; ten minutes)
	@$(PIP) --group scale
	$(BIN)/python -m pytest -m slow tests/flows/test_runners.py

lint: $(VENV)/.tested ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.tested ## Measure the acceptance table, five seeds, and write docs/benchmarks.md (hours)
	$(BIN)/python tests/benchmarks/run.py --ceilings
	$(BIN)/python tests/benchmarks/run.py --seeds 5

judgement: $(VENV)/.tested ## False alarms on honest data, planted faults, a million rows (a quarter of an hour)
	$(BIN)/python tests/benchmarks/judgement.py --false-alarms --faults --million

browser: ## Install headless Chromium for the browser tests (Debian, as root)
	apt-get update -qq && apt-get install -y -qq chromium chromium-driver

mariadb: ## Install MariaDB's server for the tests that feed it (Debian, as root)
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq mariadb-server

sshd: ## Install OpenSSH's server for the tests that publish over SFTP (Debian, as root)
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq openssh-server

constraints: $(VENV)/.tested ## Write constraints.txt from the environment
	@echo "# Exact versions that were tried together; the Makefile and the README install with them." > constraints.new
	@echo "# Made by 'make constraints'." >> constraints.new
	@{ $(BIN)/python -m pip freeze --exclude-editable | grep -viE '^(prefect.synth|pip|wheel|torch)\b'; grep '^torch==' constraints.txt; } | sort -fu >> constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove the environment and the demo
	rm -rf $(VENV) $(AIRFLOW) $(DEMO) $(DEMO)-full build *.egg-info

$(AIRFLOW)/.installed: deployments/airflow/constraints.txt
	@echo "Creating the environment of Airflow in $(AIRFLOW)"
	@test -x $(AIRFLOW)/bin/python || $(PYTHON) -m venv $(AIRFLOW)
	@$(AIRFLOW)/bin/python -m pip install -qq --disable-pip-version-check --constraint $< apache-airflow apache-airflow-providers-standard
	@touch $@

$(VENV)/.installed: pyproject.toml constraints.txt
	@echo "Creating the environment in $(VENV) (a minute or two the first time)"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed, this is %s" % sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check "pip>=25.1"
	@$(PIP) --editable '.[postgres,mysql,s3,demo]'
	@touch $@

$(VENV)/.tested: $(VENV)/.installed
	@echo "Adding what the tests need"
	@$(PIP) --group test --group lint
	@touch $@
