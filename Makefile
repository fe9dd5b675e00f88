.DEFAULT_GOAL := help
.PHONY: help up demo doctor fmt check lint servers monitoring-check build test test-fast proof env compose-check k8s-check clean

CARGO ?= cargo

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

up: ## Runs the whole fleet in one process (release build)
	$(CARGO) run --release

demo: ## Plays a customer up to a paid order
	$(CARGO) run --release -- demo

doctor: ## Checks settings and servers
	$(CARGO) run --release -- doctor

fmt: ## Formats the code
	$(CARGO) fmt --all

check: lint ## Checks format and lints, also of builds with some of the cargo features
	$(CARGO) clippy -p shopfleet --no-default-features --features consul --locked -- -D warnings
	$(CARGO) clippy -p shopfleet --locked -- -D warnings
	$(CARGO) clippy -p user-service --no-default-features --features mongodb,amqp,redis --locked -- -D warnings
	$(CARGO) clippy -p payment-service --no-default-features --features postgres,amqp,redis --locked -- -D warnings

lint: ## Checks format and lints, and dependencies where cargo-deny is installed
	@echo "== format"
	$(CARGO) fmt --all --check
	@echo "== lints"
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@echo "== dependencies"
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licences and sources of dependencies were NOT checked"; fi

servers: ## Installs the servers that the tests start: PostgreSQL, Redis, RabbitMQ, MongoDB or SecantusDB, Consul, Prometheus
	@echo "== servers for the tests"
	tests/servers/install

monitoring-check: ## Checks rules and alerts with Prometheus' tools
	@echo "== rules and alerts"
	monitoring/check

build: ## Builds the workspace (debug)
	$(CARGO) build --workspace --locked

test: lint servers monitoring-check k8s-check ## Runs all lints and tests, on files and on real servers
	@echo "== build"
	$(CARGO) build --workspace --bins --locked
	@echo "== tests"
	$(CARGO) test --workspace --locked

test-fast: ## Runs unit tests, API tests and conformance suites on files, without servers
	TEST_SERVERS=none $(CARGO) test --workspace --locked --exclude fleet-tests

proof: ## Runs the tests at full counts, with many kills and restarts, and prints the measurements
	@echo "== proof on $$(nproc) cores, $$($(CARGO) --version)"
	$(CARGO) build --release --workspace --bins --locked
	$(CARGO) build --workspace --bins --locked
	tests/servers/install
	CASES=$${CASES:-2000} $(CARGO) test --locked -p product-service --test repository model -- --nocapture
	CASES=$${CASES:-2000} $(CARGO) test --locked -p order-service --test repository --test api model -- --nocapture
	CASES=$${CASES:-2000} $(CARGO) test --locked -p payment-service --test repository model -- --nocapture
	KILLS=$${KILLS:-50} $(CARGO) test --locked -p fleet-tests --test faults restart:: -- --nocapture
	CRASHES=$${CRASHES:-all} $(CARGO) test --locked -p fleet-tests --test faults crash:: -- --nocapture --test-threads 1
	PENDING=$${PENDING:-10000} ORDERS=$${ORDERS:-400} $(CARGO) test --locked -p fleet-tests --test faults recovery:: -- --nocapture --test-threads 1
	ROUNDS=$${ROUNDS:-3} $(CARGO) test --locked -p fleet-tests --test faults outages:: -- --nocapture --test-threads 1
	EVENTS=$${EVENTS:-100000} $(CARGO) test --locked -p fleet-tests --test proof outbox_throughput:: -- --nocapture
	PREVIOUS_BINARIES=$$(tests/build-previous) $(CARGO) test --locked -p fleet-tests --test proof versions:: -- --nocapture
	SIGN_INS=$${SIGN_INS:-1500} FLEET_BINARIES=$(CURDIR)/target/release $(CARGO) test --locked -p fleet-tests --test proof footprint:: -- --nocapture
	READS=$${READS:-20000} FLEET_BINARIES=$(CURDIR)/target/release $(CARGO) test --locked -p fleet-tests --test proof telemetry_cost:: -- --nocapture
	target/release/shopfleet chaos --seconds $${SECONDS_OF_CHAOS:-300} --clients 16
	target/release/shopfleet chaos --seconds $${SECONDS_OF_CHAOS:-300} --clients 16 --hostile
	target/release/shopfleet chaos --seconds $${SECONDS_OF_CHAOS:-300} --clients 16 --servers
	target/release/shopfleet chaos --seconds $${SECONDS_OF_CHAOS:-300} --clients 16 --servers --hostile

env: ## Generates .env with random secrets for docker-compose.yml
	@deploy/env

compose-check: ## Checks the Compose files without a container engine
	@echo "== Compose and Kubernetes files"
	$(CARGO) test --locked -p fleet-tests --test deploy compose::
	@echo "== docker compose config"
	@if docker compose version >/dev/null 2>&1; then \
	    folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && deploy/env "$$folder/.env" >/dev/null && \
	    docker compose --env-file "$$folder/.env" --profile sandbox --profile observability --profile logging config --quiet && echo "docker-compose.yml is valid"; \
	else echo "docker compose is not installed: docker-compose.yml was NOT validated by it"; fi

k8s-check: ## Checks the Kubernetes manifests with Kubernetes' own code, without a cluster
	@echo "== Kubernetes manifests"
	@tests/servers/k8s-check

clean: ## Removes build artifacts and the local fleet's data
	$(CARGO) clean
	rm -rf .shopfleet
