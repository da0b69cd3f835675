# Two commands do all the set-up: `make serve` and `make test`.

BUILD := .build
RELEASE := .build-release
SWIFT_BUILD := swift build --explicit-target-dependency-import-check error
SANITIZED := ReactorTests|SandboxTests|ExecutionTests|SandglassRunnerTests|ServiceTests

.PHONY: help serve build build-tests test test-unit test-end-to-end test-slow docs lint bench fuzz-api fuzz-json fuzz-archive test-cgroup2 test-programs \
	thread-sanitizer address-sanitizer image dependencies clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 22

serve: build ## Build in release mode and serve on 127.0.0.1:8080
	exec $(RELEASE)/release/sandglass serve

# The linker would export every symbol of an executable, which makes the idle process 0.5 MiB larger.
build: dependencies ## Build in release mode: .build-release/release/sandglass
	$(SWIFT_BUILD) -c release --scratch-path $(RELEASE) --static-swift-stdlib --product sandglass \
		-Xlinker --no-export-dynamic

build-tests: dependencies
	$(SWIFT_BUILD) --build-tests --scratch-path $(BUILD)

test: build-tests ## Build and run every test
	Tests/run $(BUILD) unit end-to-end slow

test-unit: build-tests ## Run the unit tests of all modules in parallel
	Tests/run $(BUILD) unit

test-end-to-end: build-tests ## Run the tests that drive the built program
	Tests/run $(BUILD) end-to-end

test-slow: build-tests ## Run the tests that fill the machine, count leaks or measure time, one after the other
	Tests/run $(BUILD) slow

docs: build-tests ## Rewrite the generated tables of the documentation
	SANDGLASS_WRITE_DOCS=1 swift test --skip-build --scratch-path $(BUILD) --filter 'DocumentationTables|SettingsTable'

lint: ## Check the format and the wording of every file
	swift format lint --strict --recursive Package.swift Sources Tests Harnesses
	.ci/wording
	Harnesses/programs/run --check

bench: build ## Take the benchmark figures and print the table
	Benchmarks/run

fuzz-api: build ## Send a real server valid and invalid requests of its OpenAPI document (schemathesis)
	Harnesses/fuzz/api

fuzz-json: ## Fuzz the JSON reader and the decoder of runs for a minute (SECONDS=60)
	Harnesses/fuzz/json $(or $(SECONDS),60)

fuzz-archive: ## Fuzz the unpacking of archives in a slot for a minute (SECONDS=60)
	Harnesses/fuzz/archive $(or $(SECONDS),60)

test-programs: build ## Install many programs (2 GiB) and run each of them in a sandbox
	Harnesses/programs/run

test-cgroup2: build ## Test control groups of version 2 in a small virtual machine
	Harnesses/cgroup2/run

# Serially: parallel tests starve each other under the sanitizer.
thread-sanitizer: dependencies ## Run the tests of the process core under the thread sanitizer
	swift test --no-parallel --sanitize thread --scratch-path .build-thread --filter '$(SANITIZED)'

# Without the leak check, which does not know how Swift encodes pointers to objects with weak references.
address-sanitizer: dependencies ## Run the tests of the process core under the address sanitizer
	ASAN_OPTIONS=detect_leaks=0 swift test --no-parallel --sanitize address --scratch-path .build-address --filter '$(SANITIZED)'

image: ## Build the container image
	Docker/build

dependencies:
	@./install-dependencies

clean: ## Remove everything that was built
	rm -rf $(BUILD) $(RELEASE) .build-thread .build-address .build-benchmarks .build-fuzz-api .build-fuzz-json .build-fuzz-archive
