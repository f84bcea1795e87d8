# `make help` lists the targets. Every target runs on a fresh Debian machine with
# Go and Node; what else it needs it installs (as root) or names.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:

GO  ?= go
BIN := .cache/bin

# One set of flags for everything that is compiled, or the build cache holds each
# of a thousand dependencies twice.
export GOFLAGS := $(strip $(shell $(GO) env GOFLAGS) -trimpath -buildvcs=false)
export PROMTOOL := $(abspath $(BIN)/promtool)
export AMTOOL := $(abspath $(BIN)/amtool)
export NODE_EXPORTER := $(abspath $(BIN)/node_exporter)
# As root nothing keeps a test from its real parts: a skip is a failure. Parts that
# are services of their own, dockerd and systemd, are used where they are installed,
# and are required by REALPARTS=all.
ifeq ($(shell id -u),0)
export REALPARTS ?= require
endif

VERSION  ?= $(or $(shell git describe --tags --match 'v*' --dirty 2>/dev/null),v0.0.0-dev)
REVISION ?= $(or $(shell git rev-parse --short=12 HEAD 2>/dev/null),unknown)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)

GO_FILES := git ls-files --cached --others --exclude-standard -- '*.go' ':!*/testdata/*'
TEST_FLAGS ?= -p 2 -timeout 10m

stage = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

##@ Use it

.PHONY: build
build: ui ## build bin/hedgewatch, with the web UI inside when it is built
	$(call stage,build bin/hedgewatch)
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o bin/hedgewatch ./cmd/hedgewatch

.PHONY: run
run: build ## watch this host and hedgewatch itself, on http://127.0.0.1:9090
	exec bin/hedgewatch run

.PHONY: demo
demo: build ## watch a simulated trading platform, and break it, on http://127.0.0.1:9095
	exec bin/hedgewatch demo $(DEMO_FLAGS)

##@ Change it

.PHONY: test
test: lint test-go test-rules test-examples test-ui ## every test; what CI runs

.PHONY: check
check: lint $(BIN)/promtool $(BIN)/amtool ## format, lint, fast tests, generated files, go.mod: before a commit
	$(call stage,go test without the race detector)
	$(GO) test -vet=off -short $(TEST_FLAGS) ./...
	@$(MAKE) test-rules
	$(call stage,go mod tidy -diff)
	$(GO) mod tidy -diff
	for module in tools instrument instrument/grpc; do $(GO) -C $$module mod tidy -diff; done

.PHONY: realparts
realparts: $(BIN)/etcd $(BIN)/kube-apiserver ## watch a real API server of Kubernetes; it takes six minutes to build, once
	$(call stage,the watcher of Kubernetes and a real API server)
	REALPARTS=all CGO_ENABLED=0 $(GO) test ./internal/services/kubernetes -run '^TestReal' -count 1 -v

.PHONY: bench
bench: build peers $(BIN)/promtool ## the figures of the README, side by side with the peers
	$(call stage,benchmarks)
	$(GO) run ./bench $(BENCH_FLAGS)

.PHONY: faults
faults: build ## break hedgewatch and its receiver 1,000 times, and look for lost alerts
	$(call stage,faults)
	CGO_ENABLED=0 $(GO) test ./faults -run '^TestNothingIsLost$$' -count 1 -v -timeout 2h \
		-faults 1000 -binary $(abspath bin/hedgewatch) $(FAULTS_FLAGS)

.PHONY: fmt
fmt: $(BIN)/gofumpt ## format the Go code
	@$(GO_FILES) | xargs -r $(BIN)/gofumpt -w

.PHONY: generate
generate: ## rewrite the generated files
	$(GO) run ./mixin/generate
	$(GO) test ./internal/archtest -run '^TestDependenciesAreListedWithTheirLicences$$' -update
	$(GO) test ./internal/app -run '^TestMetricsReference$$' -update
	$(GO) test ./cmd/hedgewatch -run '^TestCommandReference$$' -update

.PHONY: lint
lint: $(BIN)/gofumpt $(BIN)/staticcheck
	$(call stage,gofumpt)
	@unformatted=$$($(GO_FILES) | xargs -r $(BIN)/gofumpt -l); \
	if [[ -n $$unformatted ]]; then echo "not formatted; run make fmt:"; echo "$$unformatted"; exit 1; fi
	$(call stage,go vet)
	CGO_ENABLED=0 $(GO) vet ./...
	for module in instrument instrument/grpc; do CGO_ENABLED=0 $(GO) -C $$module vet ./...; done
	$(call stage,staticcheck)
	CGO_ENABLED=0 $(BIN)/staticcheck ./...
	for module in instrument instrument/grpc; do (cd $$module && CGO_ENABLED=0 $(abspath $(BIN))/staticcheck ./...); done

# go vet has seen the code already, and would look at every dependency again here.
.PHONY: test-go
test-go: $(BIN)/promtool $(BIN)/amtool $(BIN)/node_exporter
	$(call stage,go test with the race detector)
	@tools/need gcc gcc libc6-dev
	CGO_ENABLED=1 $(GO) test -race -vet=off $(TEST_FLAGS) ./...
	for module in instrument instrument/grpc; do CGO_ENABLED=1 $(GO) -C $$module test -race -vet=off $(TEST_FLAGS) ./...; done

.PHONY: test-rules
test-rules: $(BIN)/promtool
	$(call stage,promtool: the shipped rules and their tests)
	$(PROMTOOL) check rules --lint-fatal mixin/rules/*.yml
	$(PROMTOOL) test rules mixin/rules_test/*.yml

.PHONY: test-examples
test-examples: build $(BIN)/promtool $(BIN)/amtool
	$(call stage,the example configurations)
	bin/hedgewatch check dashboards mixin/dashboards/*.json
	bin/hedgewatch check config $(filter-out examples/alertmanager%,$(wildcard examples/*.yml))
	$(PROMTOOL) check config --syntax-only examples/prometheus*.yml
	$(AMTOOL) check-config examples/alertmanager*.yml

# The binary holds the page, and a real browser drives both.
.PHONY: test-ui
test-ui: build $(BIN)/promtool ## the web UI: types, unit tests, end to end in Chromium
	$(call stage,web UI: types and unit tests)
	cd ui && npm run check && npm test
	$(call stage,web UI: end to end)
	@tools/need chromium chromium
	cd ui && HEDGEWATCH_BIN=$(abspath bin/hedgewatch) CHROMIUM="$$(command -v chromium)" npm run e2e

# The page is built only where there is one; without it the binary serves a
# placeholder, and Go needs no Node.
.PHONY: ui
ui:
ifneq ($(wildcard ui/package.json),)
	$(call stage,web UI)
	@tools/need npm nodejs npm
	cd ui && npm ci --no-audit --no-fund && npm run build
endif

##@ Tools

.PHONY: tools
tools: $(addprefix $(BIN)/,gofumpt staticcheck promtool amtool benchstat) ## build the pinned tools into .cache/bin

.PHONY: peers
peers: $(addprefix $(BIN)/,prometheus node_exporter alertmanager) ## get what we are measured against

.PHONY: clean
clean: ## remove what make built
	rm -rf bin .cache

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  \033[1mmake %-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

PACKAGE_amtool        := github.com/prometheus/alertmanager/cmd/amtool
PACKAGE_benchstat     := golang.org/x/perf/cmd/benchstat
PACKAGE_gofumpt       := mvdan.cc/gofumpt
PACKAGE_node_exporter := github.com/prometheus/node_exporter
PACKAGE_prometheus    := github.com/prometheus/prometheus/cmd/prometheus
PACKAGE_promtool      := github.com/prometheus/prometheus/cmd/promtool
PACKAGE_staticcheck   := honnef.co/go/tools/cmd/staticcheck

# The discovery mechanisms that hedgewatch has too: the others would add minutes
# and are never asked.
TOOL_TAGS := remove_all_sd,enable_dns_sd,enable_kubernetes_sd,enable_moby_sd

# Alertmanager's command embeds its web page, which its module leaves out: build it
# from a copy with an empty one, which makes it smaller.
$(BIN)/alertmanager: tools/go.mod tools/go.sum
	$(call stage,build alertmanager)
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	$(GO) -C tools mod download github.com/prometheus/alertmanager; \
	cp -r "$$($(GO) -C tools list -m -f '{{.Dir}}' github.com/prometheus/alertmanager)" "$$copy/src"; \
	chmod -R u+w "$$copy/src"; \
	mkdir -p "$$copy/src/ui/app/dist"; \
	touch "$$copy/src/ui/app/dist/index.html"; \
	cp tools/go.mod tools/go.sum "$$copy"; \
	$(GO) mod edit -replace "github.com/prometheus/alertmanager=$$copy/src" "$$copy/go.mod"; \
	CGO_ENABLED=0 $(GO) -C tools build -modfile "$$copy/go.mod" -mod=mod -tags $(TOOL_TAGS) -ldflags '-s -w' \
		-o $(abspath $@) github.com/prometheus/alertmanager/cmd/alertmanager

# What the watcher of Kubernetes is tested against, each in a module of its own: they
# replace or need other versions of what tools and we have.
$(BIN)/etcd: tools/etcd/go.mod tools/etcd/go.sum
	$(call stage,build etcd)
	CGO_ENABLED=0 $(GO) -C tools/etcd build -ldflags '-s -w' -o $(abspath $@) go.etcd.io/etcd/server/v3
	@touch $@

KUBERNETES = $(shell $(GO) -C tools/apiserver list -m -f '{{.Version}}' k8s.io/kubernetes)
KUBERNETES_VERSION = k8s.io/component-base/version

$(BIN)/kube-apiserver: tools/apiserver/go.mod tools/apiserver/go.sum
	$(call stage,build kube-apiserver)
	CGO_ENABLED=0 $(GO) -C tools/apiserver build -o $(abspath $@) -ldflags '-s -w -X $(KUBERNETES_VERSION).gitVersion=$(KUBERNETES) \
		-X $(KUBERNETES_VERSION).gitMajor=1 -X $(KUBERNETES_VERSION).gitMinor=$(word 2,$(subst ., ,$(KUBERNETES)))' k8s.io/kubernetes/cmd/kube-apiserver
	@touch $@

$(BIN)/%: tools/go.mod tools/go.sum
	$(call stage,build $*)
	CGO_ENABLED=0 $(GO) -C tools build -tags $(TOOL_TAGS) -ldflags '-s -w' -o $(abspath $@) $(PACKAGE_$*)
	@touch $@
