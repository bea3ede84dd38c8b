# netpol-gen: `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
FUZZ_SECONDS ?= 180
SOAK_MINUTES ?= 30
ROUNDS ?= 5
COUNT ?= 2000
SEED ?= 1
FILES ?= 0
VENV := target/venv
# What demo, tests and e2e share. Benchmarks and releases take the optimised one, which takes much longer to build.
PROGRAM := target/debug/netpol-gen

.PHONY: help demo man test lint captures independent field e2e clusters fuzz soak deny sbom reproducible conformance bench bench-cluster bench-live instructions stages setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building needs and is missing (libpcap)
	@if ! [ -e /usr/include/pcap/pcap.h ] && ! pkg-config --exists libpcap 2>/dev/null; then \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq libpcap-dev; \
	fi

demo: setup ## learn policies from a recorded capture and show them
	$(CARGO) build --locked
	rm -rf target/demo
	$(PROGRAM) learn --read captures/shop.pcap --inventory captures/shop.yaml --output target/demo/policies
	@echo; echo "target/demo/policies:"; (cd target/demo/policies && find . -type f | sort | sed 's/^/  /'); echo
	@cat target/demo/policies/prod/allow-ingress-to-db.yaml

man: setup ## write the man pages to target/man/man1 (man -M target/man netpol-gen)
	$(CARGO) run --locked --quiet -- man target/man/man1

test: setup ## run all tests (needs neither root nor a cluster)
	@began=$$SECONDS; \
	$(CARGO) test --locked; \
	$(CARGO) test --locked --no-default-features --test features --test golden; \
	echo; echo "all tests passed in $$((SECONDS - began)) s"

lint: setup ## formatting and lints
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	for features in "" live cluster; do \
		$(CARGO) clippy --locked --all-targets --no-default-features --features "$$features" -- -D warnings; \
	done

captures: ## record captures/ anew (needs root; makes network namespaces without a way out)
	@missing=$$(python3 tests/lab/record.py --missing); if [ -n "$$missing" ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	python3 tests/lab/record.py

$(VENV)/bin/nca:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet network-config-analyzer

independent: setup $(VENV)/bin/nca ## check expected and made policies by an independent engine (PyPI network-config-analyzer)
	$(CARGO) build --locked
	$(VENV)/bin/python tests/cases/nca.py
	$(VENV)/bin/python tests/cases/nca.py --program $(PROGRAM)

conformance: setup ## evaluate a corpus of cases: make conformance CASES=FILE.tar.xz
	rm -rf target/cases && mkdir -p target/cases
	tar -xf "$(CASES)" -C target/cases
	NETPOL_CASES=$(CURDIR)/target/cases $(CARGO) test --locked --test conformance

field: setup ## kinds of real clusters, and cases kept outside: make field FIELD=DIRECTORY DUMPS=DIRECTORY POISON=DIRECTORY
	$(CARGO) test --locked --test kinds
	if [ -n "$(FIELD)" ]; then NETPOL_FIELD="$(FIELD)" NETPOL_DUMPS="$(DUMPS)" NETPOL_POISON="$(POISON)" $(CARGO) test --locked --test field; fi

e2e: setup ## learn from, and enforce on, a real control plane (needs root, Go; SCENARIOS="name ..." for some)
	@missing=$$(python3 tests/e2e/run.py --missing); if [ -n "$$missing" ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	$(CARGO) build --locked
	python3 tests/e2e/run.py --program $(PROGRAM) $(SCENARIOS)

clusters: setup ## learn from whole clusters drawn at random: make clusters COUNT=100000 SEED=1
	COUNT=$(COUNT) SEED=$(SEED) $(CARGO) test --release --locked --test clusters -- --nocapture every_cluster

fuzz: ## fuzz every parser, and learn itself, FUZZ_SECONDS each (TARGETS="learn ..." for some)
	python3 tests/fuzz/run.py --seconds $(FUZZ_SECONDS) $(TARGETS)

soak: setup ## a live run while pods, connections and the API server come and go; memory must stay flat (needs root; SOAK_MINUTES=30)
	$(CARGO) build --release --locked
	python3 tests/soak/run.py target/release/netpol-gen --minutes $(SOAK_MINUTES)

deny: ## licences, sources and known weaknesses of everything that is linked in (deny.toml; cargo-deny)
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --locked check bans licenses sources
	@if $(CARGO) deny --locked fetch db; then $(CARGO) deny --locked check advisories; \
	else echo "advisories: NOT CHECKED, the database cannot be had"; fi

sbom: ## what the program is made of, as CycloneDX: target/sbom (cargo-cyclonedx)
	@command -v cargo-cyclonedx >/dev/null || $(CARGO) install --locked cargo-cyclonedx
	$(CARGO) cyclonedx --format json --spec-version 1.5 --override-filename netpol-gen.cdx
	mkdir -p target/sbom && mv netpol-gen.cdx.json target/sbom/
	@echo target/sbom/netpol-gen.cdx.json

reproducible: setup ## build twice, in two directories, and compare: the same sources give the same program
	tests/supply/reproducible.sh

bench: setup ## measure learn beside cat, tcpdump and others on captures of the project's own (8 GB of target/bench; ROUNDS=5)
	@missing=$$(python3 tests/bench/run.py --missing); if [ -n "$$missing" ]; then \
		sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; fi
	$(CARGO) build --release --locked --bin netpol-gen --example traffic
	python3 tests/bench/run.py --rounds $(ROUNDS)

bench-cluster: setup ## measure learn in a cluster of 150,000 pods, from 1 to 100,000 edges (FILES=100: merge so many flow files too)
	$(CARGO) build --release --locked
	python3 tests/bench/scale.py target/release/netpol-gen target/bench/cluster --files $(FILES)

bench-live: setup ## measure live captures beside tcpdump (needs root; a network namespace of its own)
	@command -v tcpreplay tcpdump >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends tcpreplay tcpdump; }
	$(CARGO) build --release --locked
	python3 tests/bench/live.py target/release/netpol-gen

instructions: setup ## count the instructions that a packet costs (needs valgrind)
	$(CARGO) build --release --locked --bin netpol-gen --example traffic
	python3 tests/bench/run.py --instructions

stages: setup ## measure each stage from bytes to flows by itself (criterion)
	CARGO_TARGET_DIR=$(CURDIR)/target/stages $(CARGO) bench --manifest-path tests/bench/Cargo.toml

clean: ## remove everything built
	$(CARGO) clean
