# The verbs of the project. Each installs the Debian packages that it lacks (as root) and nothing else outside the checkout.
#
#   make build   everything, debug build, in .build
#   make test    every test: Swift, the sandbox with real namespaces (needs root), the runtimes
#   make check   the tests and a static analysis of the C code
#   make fmt     formats Swift and C in place

SHELL := /bin/bash
PACKAGES := build-essential libseccomp-dev libcap-dev libarchive-dev python3 python3-venv nodejs curl git ca-certificates
PYTHON := /usr/bin/python3
SANDBOX := .build/sandbox
VENDOR := .build-vendor

.PHONY: build test check fmt packages

build: packages
	$(MAKE) --no-print-directory -C Sandbox OUT=$(CURDIR)/$(SANDBOX)
	swift build

test: build $(VENDOR)/awslambdaric/.done
	swift test
	$(PYTHON) Tests/Sandbox/launcher_test.py --binaries $(CURDIR)/$(SANDBOX)
	AWSLAMBDARIC_PACKAGES=$(CURDIR)/$(VENDOR)/awslambdaric $(PYTHON) Tests/Runtimes/runtime_test.py --no-benchmark

# The real runtime interface client, for the tests that prove compatibility with it. Built for the system's Python.
$(VENDOR)/awslambdaric/.done:
	rm -rf $(VENDOR)/awslambdaric $(VENDOR)/venv
	$(PYTHON) -m venv $(VENDOR)/venv
	$(VENDOR)/venv/bin/pip install --quiet --target $(VENDOR)/awslambdaric awslambdaric==4.2.2
	touch $@

check: test
	clang --analyze -Xanalyzer -analyzer-output=text -std=c17 -D_GNU_SOURCE -ISandbox/Protocol/include -ISandbox/Core/include \
	    -ISandbox/Launcher Sandbox/Protocol/*.c Sandbox/Core/*.c Sandbox/Launcher/*.c Sandbox/Zygote/*.c

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
