# Shortcuts; the build itself is CMake's. `make help` lists them.
#   CONTRAFLOW_LIBTORCH=DIR   use that LibTorch instead of the one of .venv
#   BUILD=DIR                 build folder (build/release)
#   PREFIX=DIR                where `make install` installs (/usr/local)
BUILD ?= build/release
PREFIX ?= /usr/local
CONTRAFLOW_LIBTORCH ?=
export CONTRAFLOW_LIBTORCH
# Where setup put CMake, Ninja and clang-format, if it had to.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# One compilation takes up to 2 GB.
JOBS ?= $(shell cores=$$(nproc); fits=$$(awk '/MemAvailable/ {print int($$2 / 2000000) + 1}' /proc/meminfo); \
          echo $$((cores < fits ? cores : fits)))
CMAKE_FLAGS ?=
# In CI, and only there, a warning is an error and the library checks its own invariants.
ifdef CI
  CMAKE_FLAGS += -DCONTRAFLOW_WARNINGS_AS_ERRORS=ON -DCONTRAFLOW_ASSERTS=ON
else
  CMAKE_FLAGS += -DCONTRAFLOW_WARNINGS_AS_ERRORS=OFF
endif

BENCH ?=

.PHONY: bench bench-build bench-check bench-memory bench-micro bench-neighbours bench-scaling
.PHONY: help setup configure build demo test test-fast sanitize lint format tidy install clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## install what is missing: packages of the system, LibTorch into .venv
	@scripts/setup.sh

configure: setup
	@cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release \
	  -DCONTRAFLOW_LIBTORCH="$(CONTRAFLOW_LIBTORCH)" $(CMAKE_FLAGS)

build: configure ## build everything
	@cmake --build $(BUILD) --parallel $(JOBS)

demo: configure ## train, evaluate, score and plot two flows: eight minutes on two cores, nearly five to build
	@cmake --build $(BUILD) --parallel $(JOBS) --target contraflow_cli
	@scripts/demo.sh $(BUILD)

test: build ## run all tests
	@ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --no-tests=error

test-fast: build ## run the tests that are not labelled slow
	@ctest --test-dir $(BUILD) --parallel $(JOBS) --output-on-failure --no-tests=error --label-exclude slow

# LibTorch itself is not instrumented. The presets hold the sanitizers' options (CMakePresets.json).
sanitize: setup ## run the fast tests under ASan and UBSan, the concurrency law under TSan
	@for preset in asan tsan; do \
	  cmake --preset $$preset --log-level=WARNING -DCONTRAFLOW_LIBTORCH="$(CONTRAFLOW_LIBTORCH)" && \
	  cmake --build --preset $$preset --parallel $(JOBS) && \
	  ctest --preset $$preset --parallel $(JOBS) || exit 1; \
	done

lint: setup ## check the format and the direction of the includes
	@scripts/lint.sh

format: setup ## format every C++ file
	@git ls-files '*.h' '*.cpp' | xargs clang-format -i

tidy: configure ## run clang-tidy, if it is installed (slow)
	@scripts/tidy.sh $(BUILD) $(JOBS)

bench-build: ## build the benchmarks, and install what they compare with
	@scripts/setup.sh bench
	@cmake -S . -B $(BUILD) -G Ninja --log-level=WARNING -DCMAKE_BUILD_TYPE=Release \
	  -DCONTRAFLOW_LIBTORCH="$(CONTRAFLOW_LIBTORCH)" $(CMAKE_FLAGS) -DCONTRAFLOW_BUILD_BENCHMARKS=ON
	@cmake --build $(BUILD) --parallel $(JOBS) --target contraflow_bench contraflow_micro

bench-check: ## check the benchmarks' peers in float64
	@scripts/setup.sh bench
	@.venv/bin/python -m benchmarks.baselines.check

bench: bench-build ## time ours and the papers' code in turns (BENCH="CASE --rounds 5 ...")
	@.venv/bin/python -m benchmarks.paired.run --build $(BUILD) $(BENCH)

bench-micro: bench-build ## time single operations (Google Benchmark)
	@$(BUILD)/benchmarks/micro/contraflow_micro $(BENCH)

bench-memory: bench-build ## peak memory over width, depth and series length
	@.venv/bin/python -m benchmarks.memory --build $(BUILD) $(BENCH)

bench-scaling: bench-build ## time per step over blocks and batch
	@.venv/bin/python -m benchmarks.scaling --build $(BUILD) $(BENCH)

bench-neighbours: bench-build ## steps a second beside busy programs: default threads, one, two
	@.venv/bin/python -m benchmarks.neighbours --build $(BUILD) $(BENCH)

install: build ## install the library and the program under PREFIX
	@cmake --install $(BUILD) --prefix $(PREFIX)

clean: ## remove the build folder
	@cmake -E rm -rf $(BUILD)
