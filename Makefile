# The commands of this tree. On a fresh Debian or Ubuntu machine with Go and
# make, as root, each does its own set-up. Everything that they download or
# build is kept in the user's cache, apart from bin/.

CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bootswain
CUTS   ?= 1000
LINTER := v2.15.0
LINT   := $(CACHE)/tools/golangci-lint-$(LINTER)/golangci-lint

NODE_EXPORTER := v1.12.1
EXPORTER      := $(CACHE)/tools/node_exporter-$(NODE_EXPORTER)/node_exporter

.PHONY: help run test test-aws check soak bench-storage bench-health bench-fleet screenshots setup deb

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## show the main job on a virtual machine, and leave it up
	@go run ./cmd/lab demo

test: setup check ## every test: check, real tools, whole machines
	@echo "test: fuzzers of the readers of disks, data directories and launch data, 10 s each"; scripts/fuzz 10s raid luks filesystem volume mysql spec launch
	@echo "test: real tools in micro guests, power cuts, the model machine with and without bugs, scenarios on whole machines"
	@BOOTSWAIN_E2E=1 BOOTSWAIN_SEQUENCES=50000 go test -count=1 -v -timeout 75m -p 1 -parallel 2 ./e2e/...

test-aws: ## BOOTSWAIN_AWS_KEY=alias/… BOOTSWAIN_AWS_BUCKET=… the suites of AWS's clients against a real account, with credentials as for Amazon's own tools
	@BOOTSWAIN_AWS=1 go test -count=1 -v -run AWSAccount ./secret ./lab

check: $(LINT) ## format, vet, linter with the import table, unit tests, fuzz seeds
	@echo "check: gofmt"; out=$$(gofmt -l .); test -z "$$out" || { echo "not formatted: $$out"; exit 1; }
	@echo "check: go mod tidy"; go mod tidy -diff
	@echo "check: go vet"; go vet ./...
	@echo "check: golangci-lint"; $(LINT) run ./...
	@echo "check: unit tests and fuzz seeds"; go test $$(go list ./... | grep -v /e2e)

soak: setup ## CUTS=1000 replayed moments, a tenth of that in whole cuts, a million random sequences, a hundred years of simulated disks, the fuzzers
	@BOOTSWAIN_E2E=1 BOOTSWAIN_CUTS=$(CUTS) BOOTSWAIN_WHOLE_CUTS=$$(( $(CUTS) / 10 )) go test -count=1 -v -timeout 48h ./e2e/crash
	@BOOTSWAIN_E2E=1 BOOTSWAIN_SEQUENCES=1000000 go test -count=1 -v -timeout 12h ./e2e/model
	@BOOTSWAIN_E2E=1 BOOTSWAIN_REAL_SEQUENCES=48 go test -count=1 -v -timeout 12h ./e2e/conformance -run TestWalk
	@BOOTSWAIN_E2E=1 go test -count=$(or $(ROUNDS),20) -v -timeout 48h ./e2e -run TestCuts
	@BOOTSWAIN_E2E=1 BOOTSWAIN_SOAK=1 go test -count=1 -v -timeout 48h ./e2e -run 'TestDatabase|TestElsewhere'
	@BOOTSWAIN_YEARS=100 BOOTSWAIN_FAULTS=20 go test -count=1 -v -timeout 4h -run 'FalseAlarms|Faults' ./health/latency
	@scripts/fuzz 10m

bench-storage: setup ## bootswain beside scripts of the bare tools: ratios
	@BOOTSWAIN_E2E=1 BOOTSWAIN_BENCH=1 go test -count=1 -v -timeout 3h ./e2e/conformance -run TestSpeed

bench-health: $(EXPORTER) ## bootswain's listener beside node_exporter, natively: processor time, memory, how long an answer takes
	@d=$$(mktemp -d) && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $$d/bootswain ./cmd/bootswain && \
		BOOTSWAIN_BENCH=$$d/bootswain:$(EXPORTER) go test -count=1 -v -run TestBeside ./health; e=$$?; rm -r $$d; exit $$e

bench-fleet: setup ## 500 of bootswain's listeners, asked every 15 s by Debian's Prometheus: what it costs both; 5 GiB of memory, 8 minutes
	@d=$$(mktemp -d) && go build -trimpath -ldflags "-s -w" -o $$d/bootswain ./cmd/bootswain && \
		BOOTSWAIN_FLEET=$$d/bootswain:$(CACHE)/tools/prometheus/usr/bin/prometheus:$(or $(FOR),5m) go test -count=1 -v -timeout 5h -run TestFleet ./health; e=$$?; rm -r $$d; exit $$e

screenshots: ## the pictures of the status page in docs/images, by a Chromium without a screen
	@command -v chromium-headless-shell >/dev/null || apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends chromium-headless-shell
	@BOOTSWAIN_SCREENSHOTS=$(CURDIR)/docs/images go test -count=1 -run TestScreenshots ./health

setup: ## packages that the laboratory needs
	@scripts/setup

deb: ## bootswain's Debian package, in bin/
	@packaging/deb/build bin

$(LINT):
	@echo "check: building golangci-lint $(LINTER), once (2 minutes)"
	@mkdir -p $(@D) && GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINTER)

$(EXPORTER):
	@echo "bench: building node_exporter $(NODE_EXPORTER), once"
	@mkdir -p $(@D) && GOBIN=$(@D) go install github.com/prometheus/node_exporter@$(NODE_EXPORTER)
