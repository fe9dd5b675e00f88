.DEFAULT_GOAL := help
.PHONY: help up demo doctor fmt lint servers build test proof clean

CARGO ?= cargo

help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

up: ## Runs the whole fleet in one process (release build)
	$(CARGO) run --release

demo: ## Plays a customer who ends with a paid order
	$(CARGO) run --release -- demo

doctor: ## Checks settings and servers
	$(CARGO) run --release -- doctor

fmt: ## Formats the code
	$(CARGO) fmt --all

lint: ## Checks format, lints, and dependencies where cargo-deny is installed
	@echo "== format"
	$(CARGO) fmt --all --check
	@echo "== lints"
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	@echo "== dependencies"
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check licenses bans sources; \
	else echo "cargo-deny is not installed: licences and sources of dependencies were NOT checked"; fi

servers: ## Installs the real servers that the tests start: PostgreSQL, Redis, RabbitMQ, MongoDB's protocol, Consul
	@echo "== servers for the tests"
	tests/servers/install

build: ## Builds everything (debug)
	$(CARGO) build --workspace --locked

test: lint servers ## The gate: lints and all tests, on files and on real servers
	@echo "== build"
	$(CARGO) build --workspace --bins --locked
	@echo "== tests"
	$(CARGO) test --workspace --locked

proof: ## The full counts: many kills and restarts, printed with what they ran on
	@echo "== proof on $$(nproc) cores, $$($(CARGO) --version)"
	$(CARGO) build --release --locked
	$(CARGO) build --workspace --bins --locked
	tests/servers/install
	KILLS=$${KILLS:-50} $(CARGO) test --locked -p fleet-tests --test restart -- --nocapture
	ROUNDS=$${ROUNDS:-3} $(CARGO) test --locked -p fleet-tests --test outages -- --nocapture --test-threads 1

clean: ## Removes what was built and the local fleet's data
	$(CARGO) clean
	rm -rf .shopfleet
