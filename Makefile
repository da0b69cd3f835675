# Two commands do all the set-up: `make serve` and `make test`.

BUILD := .build
RELEASE := .build-release
SWIFT_BUILD := swift build --explicit-target-dependency-import-check error

.PHONY: help serve build test lint bench fuzz-api fuzz-json test-cgroup2 thread-sanitizer address-sanitizer image dependencies clean

help: ## Say what can be made
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 22

serve: build ## Build in release mode and serve on 127.0.0.1:8080
	exec $(RELEASE)/release/sandglass serve

build: dependencies ## Build the program in release mode
	$(SWIFT_BUILD) -c release --scratch-path $(RELEASE) --static-swift-stdlib --product sandglass

# One after the other: many of them fill the machine on purpose, and others look at what is left in this one process.
test: dependencies ## Build and pass every test
	$(SWIFT_BUILD) --build-tests --scratch-path $(BUILD)
	swift test --skip-build --no-parallel --scratch-path $(BUILD)

lint: ## Check the format of every Swift file
	swift format lint --strict --recursive Package.swift Sources Tests

test-cgroup2: build ## Test control groups of version 2 in a small virtual machine
	Tests/cgroup2/run

bench: build ## Take the figures and print the table
	Benchmarks/run

fuzz-api: build ## Send a real server what its OpenAPI document allows, and what it does not (schemathesis)
	Tests/fuzz/api

fuzz-json: ## Feed the reader of bodies with what libFuzzer thinks of, for a minute (SECONDS=60)
	Tests/fuzz/json $(or $(SECONDS),60)

thread-sanitizer: dependencies ## Pass the process core's tests under the thread sanitizer
	swift test --no-parallel --sanitize thread --scratch-path .build-thread --filter 'ReactorTests|SandboxTests|ExecutionTests|ServiceTests'

# Without its leak check: it does not know how Swift encodes the pointers to objects that have weak references.
address-sanitizer: dependencies ## Pass the process core's tests under the address sanitizer
	ASAN_OPTIONS=detect_leaks=0 swift test --no-parallel --sanitize address --scratch-path .build-address --filter 'ReactorTests|SandboxTests|ExecutionTests|ServiceTests'

image: ## Build the container image
	Docker/build

dependencies:
	@./install-dependencies

clean: ## Remove what was built
	rm -rf $(BUILD) $(RELEASE) .build-thread .build-address .build-benchmarks .build-fuzz-api .build-fuzz-json
