# Everything a newcomer needs: `make run` and `make test`. Only python3 and make have to be there.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CONSTRAINTS := .ci/constraints.txt
TOOLS := .ci/requirements.txt
PROJECTS := proxy/pyproject.toml backend/pyproject.toml
INSTALLED := -e './proxy[otel,sentry,postgres,srv,compile]' -e './backend[otel,sentry]' -r $(TOOLS)
PYTEST := $(BIN)/python -m pytest
# Twice as many as there are cores: half of a test's time is waiting for processes that it has started.
WORKERS ?= 4
STORES ?= redis,sentinel,cluster
# FORM=compiled runs a target on the compiled form of the proxy, which is made again when a source is newer.
FORM ?= source
COMPILED := .compiled/veneer/compiled.digest
ON_COMPILED := PYTHONPATH=$(CURDIR)/.compiled VENEER_FORM=compiled
# Bytecode is kept even where the environment says not to: without it a proxy takes half as long again to start.
export PYTHONDONTWRITEBYTECODE :=

ifeq ($(FORM),compiled)
FORM_READY := $(COMPILED)
ON_FORM := $(ON_COMPILED)
endif
# They run nothing of the proxy, whatever its form: protocols as models, and a reading of the sources by mypy.
OF_NO_FORM := $(foreach of,source lease doubt,--ignore tests/properties/test_$(of)_model.py) \
	--deselect tests/unit/veneer/policy/test_wired.py::test_every_member_of_the_policy_is_read_by_the_code_that_obeys_it

.PHONY: help run test deep check conformance fmt lint unit properties clean lock changelog coherence storm identities scenarios real fuzz-etter plans
.PHONY: compiled test-compiled images
.PHONY: bench bench-etter bench-instructions bench-purge

help: ## Show the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(READY): $(PROJECTS) $(TOOLS) $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo "Veneer needs Python 3.11 to 3.14; set PYTHON=python3.x"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) $(INSTALLED)
	@touch $(READY)

$(COMPILED): $(READY) $(shell find proxy -name '*.py') proxy/veneer/compiling/modules.txt
	@$(BIN)/python -m veneer.compiling .compiled

compiled: $(COMPILED) ## Compile the proxy's hot modules into .compiled (needs a C compiler; two minutes)

run: $(READY) $(FORM_READY) ## Start PostgreSQL, Redis, the Etter backend and the proxy
	@$(ON_FORM) $(BIN)/python -m devstack $(ARGS)

check: $(READY) lint unit properties ## Format, lint, types, import contracts, unit tests, properties

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "run: make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

unit: $(READY)
	@$(PYTEST) -q -n 2 --dist loadfile --no-loadscope-reorder -m "not slow" tests/unit tests/golden

properties: $(READY)
	@$(PYTEST) -q -n 2 -m "not slow" tests/properties

deep: $(READY) ## The property tests with many more examples (minutes)
	@$(PYTEST) -q -n 2 --timeout 0 --hypothesis-profile=deep tests/properties

test: $(READY) ## The whole suite on real Redis and PostgreSQL, with coverage
	@$(PYTEST) -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations=30 --cov --cov-report= tests
	@$(BIN)/coverage report --include='backend/*' --fail-under=80
	@$(BIN)/coverage report --include='proxy/*' --fail-under=85

test-compiled: $(READY) $(COMPILED) ## What the tests of the proxy say to the compiled form
	@$(ON_COMPILED) VENEER_SCENARIO_STORES=memory $(PYTEST) -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		tests/system/test_fastpath_differential.py tests/scenarios/test_10_*.py tests/unit/veneer tests/properties $(OF_NO_FORM)

images: $(READY) ## Build both images with buildah, as root, and run them (needs buildah and mmdebstrap; ARGS=veneer for one)
	@$(BIN)/python -m devstack.images $(ARGS)
	@$(PYTEST) -q tests/system/test_images.py

scenarios: $(READY) $(FORM_READY) ## The scenarios on each kind of Redis; STORES=memory,redis,sentinel,cluster to choose
	@$(ON_FORM) VENEER_SCENARIO_STORES=$(STORES) $(PYTEST) -q -n $(WORKERS) --dist loadfile tests/scenarios

conformance: $(READY) $(FORM_READY) ## The public HTTP cache tests; ARGS="-v TEST" for one, ARGS="--workers 2" over Redis
	@$(ON_FORM) $(BIN)/python -m checks.conformance $(ARGS)

coherence: $(READY) $(FORM_READY) ## Try to make the cache lie to a writer, with faults (SECONDS=60 SEED=1; ARGS=--changes for commits behind it)
	@$(ON_FORM) $(BIN)/python -m checks.coherence --seconds $(or $(SECONDS),60) --seed $(or $(SEED),1) $(ARGS)

storm: $(READY) $(FORM_READY) ## Overload and faults in turn, beside nginx and HAProxy where they are (SECONDS=10; ARGS="--cases redis")
	@$(ON_FORM) $(BIN)/python -m checks.storm --seconds $(or $(SECONDS),10) $(ARGS)

identities: $(READY) $(FORM_READY) ## Try to get a byte of another identity (EXCHANGES=1000000 SEED=1)
	@$(ON_FORM) $(BIN)/python -m checks.identities --exchanges $(or $(EXCHANGES),1000000) --seed $(or $(SEED),1) $(ARGS)

plans: $(READY) ## The plans of all named statements on 200,000 users and 1,000,000 runs (minutes)
	@ETTER_PLAN_SIZE=load $(PYTEST) -q tests/integration/etter/test_plans.py

real: $(READY) $(FORM_READY) ## Real programs, straight and through Veneer; installs them into .real (ARGS="-m quick")
	@$(ON_FORM) $(PYTEST) -q -n $(WORKERS) --dist worksteal tests/real $(ARGS)

fuzz-etter: $(READY) ## Generated requests to the Etter API (SECONDS=600 SEED=1)
	@$(BIN)/python -m checks.fuzz --seconds $(or $(SECONDS),600) --seed $(or $(SEED),1)

bench: $(READY) $(COMPILED) ## Veneer, compiled, beside nginx, Varnish and FastAPI; 35 minutes (ARGS="--cases hit,304")
	@$(ON_COMPILED) $(BIN)/python -m benchmarks.first_sight
	@$(ON_COMPILED) $(BIN)/python -m benchmarks.peers $(ARGS)

bench-instructions: $(READY) $(COMPILED) ## Instructions of a hit, a refusal, a miss, both forms; needs valgrind; six minutes
	@$(BIN)/python -m benchmarks.instructions $(ARGS)

bench-etter: $(READY) ## The Etter workload as found, as it is, behind the proxy; 15 minutes, with 10,000,000 runs to make at first
	@$(BIN)/python -m benchmarks.etter $(ARGS)

bench-purge: $(READY) ## What a purge costs, and memory after ten million tags; some minutes
	@$(BIN)/python -m benchmarks.purge $(ARGS)

fmt: $(READY) ## Format and fix what can be fixed
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

changelog: $(READY) ## Move what lies in changes/ into CHANGELOG.md (VERSION=1.2.3)
	@$(BIN)/towncrier build --yes --version $(VERSION)

lock: ## Renew the constraints file from what the products and the tools ask for
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/python -m pip install --quiet --disable-pip-version-check $(INSTALLED)
	@.lock/bin/python -m pip freeze --exclude-editable > $(CONSTRAINTS)
	@rm -rf .lock

clean: ## Remove what make made
	rm -rf $(VENV) .images .real .veneer .compiled .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
