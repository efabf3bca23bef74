# SPDX-License-Identifier: GPL-2.0-or-later
# The face of the tree: every common job has a target here. `make help` lists them.

KVER  ?= $(shell scripts/host-kernel)
KDIR  ?= /lib/modules/$(KVER)/build
BUILD := build
SERIES = $(shell scripts/kernel-series $(KVER))

# Where ccache is installed, compile through it. Paths below the tree are relative to it, so that
# another clone finds what this one has compiled.
export PATH := /usr/lib/ccache:$(PATH)
export CCACHE_DIR ?= $(or $(XENPV_CACHE),$(HOME)/.cache/xenpv)/ccache
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
export CCACHE_MAXSIZE ?= 2G

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: deps
deps: ## install the Debian packages that building and testing need
	@scripts/install-deps

.PHONY: demo
demo: deps ## the main job on real Xen: a guest boots from its VBD and is shut down from the host
	@scripts/demo

.PHONY: check
check: deps ## every test; ends with "N passed, N failed, N skipped"
	@scripts/check

.PHONY: bench
bench: deps ## throughput against the stock driver and other backends; writes build/report/bench.json
	@scripts/bench

.PHONY: fuzz
fuzz: deps ## fuzz the parsers of foreign data for FUZZ_SECONDS (60)
	@tests/fuzz/run $(or $(FUZZ_SECONDS),60)

.PHONY: soak
soak: deps ## the long versions of the tests; takes hours
	@scripts/soak

.PHONY: lab-shell
lab-shell: deps tools modules ## a shell in dom0 of the lab, with a guest running
	@tests/lab/shell

.PHONY: modules
modules: ## the kernel modules for KVER (the newest installed headers)
	@scripts/build-modules "$(KDIR)" $(BUILD)/modules/$(SERIES)

.PHONY: tools
tools: ## daemon, worker and agent into build/tools/bin
	@scripts/build-tools

.PHONY: rpm
rpm: deps ## RPM packages into build/packages/rpm
	@scripts/build-rpm

.PHONY: deb
deb: deps ## Debian packages into build/packages/deb
	@scripts/build-deb

.PHONY: clean
clean: ## remove what was built; keep downloaded and compiled test images
	rm -rf $(BUILD)

.PHONY: distclean
distclean: clean ## remove caches too
	rm -rf "$${XENPV_CACHE:-$${HOME}/.cache/xenpv}"
