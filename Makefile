# The verbs of the project. Each installs the Debian packages that it lacks (as root) and nothing else outside the checkout.
#
#   make demo    builds a release, runs a POP and a region on loopback, deploys and calls functions with the AWS CLI
#                (make demo KEEP=1 leaves it running and prints commands to try)
#   make bench   measures against peers in the same run; prints a table, writes .build/bench.json and .build/bench-start-levels.svg
#   make hosts   POPs and regions in network namespaces, joined by links that can be slowed and cut, to try things with
#                (make hosts POPS=3 REGIONS=3 DELAY=40; DELAY in milliseconds each way; needs root)
#   make build   everything, debug build, in .build
#   make test    every test: Swift, the sandbox with real namespaces (needs root), the runtimes, whole nodes, hostile functions, the
#                AWS clients
#   make check   the tests, a static analysis of the C code, and a minute of fuzzing
#   make fmt     formats Swift and C in place

SHELL := /bin/bash
PACKAGES := build-essential libseccomp-dev libcap-dev libarchive-dev libsqlite3-dev zlib1g-dev python3 python3-venv nodejs ruby curl git ca-certificates \
    iproute2 procps musl-tools
BENCH_PACKAGES := wrk bubblewrap runc uwsgi-core uwsgi-plugin-python3
PYTHON := /usr/bin/python3
SANDBOX := .build/sandbox
VENDOR := .build-vendor

POPS := 2
REGIONS := 2
DELAY := 20

.PHONY: build release demo hosts bench test check fmt packages

build: packages
	$(MAKE) --no-print-directory -C Sandbox OUT=$(CURDIR)/$(SANDBOX)
	swift build

release: packages
	$(MAKE) --no-print-directory -C Sandbox OUT=$(CURDIR)/$(SANDBOX)
	swift build -c release --product wayside

demo: release $(VENDOR)/aws/.done
	$(PYTHON) Config/demo/demo.py --wayside $(CURDIR)/.build/release/wayside --aws $(CURDIR)/$(VENDOR)/aws/bin/aws \
	    $(if $(KEEP),--keep)

hosts: release
	$(MAKE) --no-print-directory packages PACKAGES=netcat-openbsd
	$(PYTHON) Tests/IntegrationTests/Hosts/play.py --binary $(CURDIR)/.build/release/wayside --pops $(POPS) --regions $(REGIONS) --delay $(DELAY)

bench: release $(VENDOR)/peers/.done
	$(MAKE) --no-print-directory packages PACKAGES="$(BENCH_PACKAGES)"
	swift build -c release --product wayside-bench
	$(PYTHON) Tests/Benchmarks/bench.py --build $(CURDIR)/.build --vendor $(CURDIR)/$(VENDOR)

# Every long step is watched: one that takes too long, or falls silent, is ended and says where it stood. The limits are a few times
# what the steps take on two busy cores.
# The suites that only reckon run by themselves: beside them, tests with real connections and processes would wait for a processor.
# Those that count single connections run by themselves too: what other tests do to the event loops they share is no part of them.
ALONE := ^EgressProxyTests\.
BUSY := ^(CapacityPoolsTests|SimulationTests|PlacementTests)\.
WATCHED := $(PYTHON) Tests/Harness/watched.py
LINES := $(shell command -v stdbuf >/dev/null && echo stdbuf -oL)

test: build $(VENDOR)/awslambdaric/.done $(VENDOR)/aws/.done
	$(PYTHON) Tests/Harness/watched_test.py
	$(PYTHON) Tests/Harness/region_kill_test.py
	$(WATCHED) --limit 2400 --silence 900 -- $(LINES) swift build --build-tests
	$(WATCHED) --limit 900 --silence 300 -- $(LINES) swift test --skip-build --skip '$(BUSY)' --skip '$(ALONE)'
	$(WATCHED) --limit 600 --silence 300 -- $(LINES) swift test --skip-build --filter '$(ALONE)'
	$(WATCHED) --limit 900 --silence 300 -- $(LINES) swift test --skip-build --filter '$(BUSY)'
	$(WATCHED) --limit 900 --silence 300 -- $(PYTHON) Tests/Sandbox/launcher_test.py --binaries $(CURDIR)/$(SANDBOX)
	AWSLAMBDARIC_PACKAGES=$(CURDIR)/$(VENDOR)/awslambdaric $(WATCHED) --limit 600 --silence 300 -- \
	    $(PYTHON) Tests/Runtimes/runtime_test.py --no-benchmark
	cd Tests/IntegrationTests && $(PYTHON) ../Harness/watched.py --limit 1800 --silence 600 -- $(PYTHON) -m unittest \
	    placement_test outage_test lifecycle_test bad_input_test start_test egress_test sandbox_test account_test pool_test variable_test \
	    sticky_test sticky_nodes_test operator_test record_test regions_test stream_test replication_test transport_test forwarding_load_test \
	    Hostile.hostile_test
	$(WATCHED) --limit 900 --silence 300 -- $(PYTHON) Tests/ConformanceTests/on_a_node.py --clients $(VENDOR)/aws

# The real runtime interface client, for the tests that prove compatibility with it. Built for the system's Python.
$(VENDOR)/awslambdaric/.done:
	rm -rf $(VENDOR)/awslambdaric $(VENDOR)/venv
	$(PYTHON) -m venv $(VENDOR)/venv
	$(VENDOR)/venv/bin/pip install --quiet --target $(VENDOR)/awslambdaric awslambdaric==4.2.2
	touch $@

# The unmodified AWS clients, for the demo and the conformance tests.
$(VENDOR)/aws/.done:
	rm -rf $(VENDOR)/aws
	$(PYTHON) -m venv $(VENDOR)/aws
	$(VENDOR)/aws/bin/pip install --quiet awscli==1.45.11 boto3==1.43.11
	touch $@

# What the benchmarks compare with.
$(VENDOR)/peers/.done:
	rm -rf $(VENDOR)/peers
	$(PYTHON) -m venv $(VENDOR)/peers
	$(VENDOR)/peers/bin/pip install --quiet functions-framework==3.8.3 gunicorn==23.0.0
	touch $@

check: test
	clang --analyze -Xanalyzer -analyzer-output=text -std=c17 -D_GNU_SOURCE -ISandbox/Protocol/include -ISandbox/Core/include \
	    -ISandbox/Launcher -ISandbox/Zygote/include Sandbox/Protocol/*.c Sandbox/Core/*.c Sandbox/Launcher/*.c Sandbox/Zygote/*.c
	$(PYTHON) Tests/Fuzz/run.py --seconds 60
	$(PYTHON) Tests/Fuzz/python_frames_test.py

fmt:
	swift format --in-place --recursive Sources Tests Package.swift
	clang-format -i $$(git ls-files 'Sandbox/*.c' 'Sandbox/*.h' 'Runtimes/*.c')

packages:
	@missing=; for package in $(PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
	    echo "installing$$missing"; \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
