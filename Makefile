# make demo   a first run: installs, builds, pulls a model, runs the starter suite, writes report.html
# make test   installs, builds, pulls the test model, runs every test
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
MODEL ?= qwen2.5-coder-1.5b
# Trials at once: the model computes them together, so more than cores pay.
TRIALS ?= 8
BUILD := build/release
TRIALWRIGHT := $(BUILD)/trialwright

.PHONY: demo test setup build models install fuzz soak bench sanitize tidy format clean

demo: build
	$(TRIALWRIGHT) models pull $(MODEL)
	$(TRIALWRIGHT) run starter --model $(MODEL) -j $(TRIALS)
	$(TRIALWRIGHT) report last -o report.html

test: tests-built models
	ctest --test-dir $(BUILD) --output-on-failure --parallel $(JOBS)

setup:
	@.ci/setup

# A compiler cache is used where there is one; nothing depends on it.
CONFIGURE = cmake --preset release $$(command -v ccache >/dev/null && echo -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) >/dev/null

build: setup
	@$(CONFIGURE)
	cmake --build $(BUILD) --parallel $(JOBS) --target trialwright

.PHONY: tests-built
tests-built: build
	cmake --build $(BUILD) --parallel $(JOBS)

# The real-model tests use the smallest model. Where it cannot be had this fails, so that nobody takes
# their absence for success; with TRIALWRIGHT_SKIP_MODELS=1 they skip, and say so.
models: build
ifeq ($(TRIALWRIGHT_SKIP_MODELS),1)
	@echo "TRIALWRIGHT_SKIP_MODELS=1: the tests that need smollm2-135m may be skipped"
else
	$(TRIALWRIGHT) models pull smollm2-135m
endif

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

# Long checks that are no part of `make test`.
FUZZ_SECONDS ?= 60
fuzz: setup
	tests/fuzz/run $(FUZZ_SECONDS)

# Twenty kills of a run of the whole starter suite, each resumed to the end; the bits of every model
# that has been pulled, in many more ways than `make test` asks for.
soak: tests-built
	TRIALWRIGHT_SOAK=1 ctest --test-dir $(BUILD) --output-on-failure -R 'KillAndResume|Invariance'

# Ten minutes of random requests, cancels and hang-ups against the server.
SOAK_SECONDS ?= 600
.PHONY: soak-serve
soak-serve: models
	python3 tests/soak/serve_soak.py $(TRIALWRIGHT) smollm2-135m --seconds $(SOAK_SECONDS)

bench: build
	cmake --build $(BUILD) --parallel $(JOBS) --target bench

sanitize: setup
	cmake --preset dev >/dev/null
	cmake --build build/dev --parallel $(JOBS)
	ctest --test-dir build/dev --output-on-failure --parallel $(JOBS)

tidy: setup
	cmake --preset tidy >/dev/null
	cmake --build build/tidy --parallel $(JOBS)

format:
	git ls-files '*.h' '*.cpp' | xargs clang-format-14 -i

clean:
	rm -rf build
