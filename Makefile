# weir: build, run, test. `make` alone lists the targets.

GO      ?= go
BIN     := bin
TAGS    := weirpoison
VERSION := $(shell cat VERSION)
COMMIT  ?= $(shell git describe --always --dirty 2>/dev/null)
LDFLAGS := -s -w -X github.com/weirflow/weir/internal/app.version=$(VERSION) -X github.com/weirflow/weir/internal/app.commit=$(COMMIT)
# Of the last commit, for the manual pages: the same source gives the same files.
DATE    := $(or $(shell git log -1 --format=%cs 2>/dev/null),$(shell date +%F))

# Where make install puts things.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR    ?=

STATICCHECK  := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PROTOCGENGO  := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
FUZZTIME     ?= 20s

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: need-go
need-go:
	@scripts/need.sh go

.PHONY: build
build: need-go ## Build bin/weir and bin/enricher
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

.PHONY: install
install: build ## Install weir, its unit, manual pages and completions (DESTDIR=, PREFIX=/usr/local)
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' BIN='$(BIN)' VERSION='$(VERSION)' DATE='$(DATE)' GO='$(GO)' scripts/packaging/install.sh

.PHONY: uninstall
uninstall: ## Remove what make install has put there, but the configuration
	@PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' scripts/packaging/install.sh remove

.PHONY: packages
packages: need-go ## Make deb and rpm packages for amd64 and arm64 in bin/packages
	scripts/packaging/packages.sh $(BIN)/packages

.PHONY: image
image: need-go ## Make OCI images for amd64 and arm64 in bin/image, without a container engine
	scripts/packaging/image.sh $(BIN)/image

.PHONY: test-image
test-image: image ## Run the image by crun, without privileges, with flows in and out (root)
	@scripts/need.sh root image
	@$(GO) build -o $(BIN)/gen ./bench/gen
	cd scripts/image && $(GO) test -count=1 .
	scripts/packaging/test-image.sh $(BIN)/image/weir-$(VERSION)-image-$$($(GO) env GOARCH).tar $(BIN)/gen

.PHONY: dashboards
dashboards: need-go ## Write the Grafana dashboards again
	cd scripts/dashboards && $(GO) run . ../packaging/grafana

.PHONY: test-dashboards
test-dashboards: need-go ## Run every query of the dashboards, by Prometheus and ClickHouse (chdb), fed by weir (root)
	@scripts/need.sh root kafka exporters
	cd scripts/dashboards && CI=true $(GO) test -count=1 .

.PHONY: test-compose
test-compose: build ## Run the pipelines of the compose files without containers: Kafka, ClickHouse (chdb), Prometheus, Flink (root; minutes)
	@scripts/need.sh root kafka exporters image
	@$(GO) build -o $(BIN)/gen ./bench/gen
	cd scripts/compose && $(GO) test -count=1 .
	scripts/packaging/compose/test.sh $(BIN)/weir $(BIN)/gen

.PHONY: test-parquet
test-parquet: need-go ## Have DuckDB, pyarrow and ClickHouse (chdb) read Parquet files of weir (Python with venv; minutes)
	python3 -m venv $(BIN)/parquet-venv
	$(BIN)/parquet-venv/bin/pip install -q duckdb==2.0.1 pyarrow==26.0.1 chdb==4.4.0
	WEIR_PYTHON=$(CURDIR)/$(BIN)/parquet-venv/bin/python $(GO) test -count=1 ./producer/parquet

.PHONY: run
run: build ## Build, start the collector and show flows as JSON lines
	@$(GO) build -o $(BIN)/gen ./bench/gen
	@scripts/run.sh

.PHONY: test
test: need-go ## Run all tests with the race detector (as root: those with real exporters too)
	@scripts/need.sh cgo
	@# What comes after -- runs one after the other: it starts collectors and exporters of its own.
	@KAFKA_TEST=off $(GO) run ./scripts/testsum -race -tags $(TAGS) -timeout 20m $$($(GO) list ./... | grep -v -e /internal/live -e /xdp$$) \
		-- -race -tags $(TAGS) -timeout 20m -p 1 ./xdp/... ./internal/live/...
	@echo "not run: the tests against real Kafka clusters, which make test-kafka and make test-kafka-faults run"

# The race detector takes several times as much memory as weir does.
.PHONY: test-memory
test-memory: need-go ## Hold memory to its limits under floods, and the cost of each datagram with full tables (root; minutes)
	@scripts/need.sh root
	$(GO) test -count=1 -tags $(TAGS) -run 'TestAdversary$$|TestMemory$$' ./internal/collector
	$(GO) test -count=1 -tags $(TAGS) -run TestHostile ./internal/live

.PHONY: test-root
test-root: need-go ## Run the tests that need root and real exporters, after installing the exporters
	@scripts/need.sh root exporters
	KAFKA_TEST=off CI=true $(GO) test -count=1 -tags $(TAGS) ./bpf/... ./ringbuf/... ./xdp/... ./internal/testnet/... ./internal/udp/... ./sink/... ./internal/live/...

.PHONY: test-kafka
test-kafka: need-go ## Run the tests against real Kafka clusters (Java 17, Maven; minutes)
	@scripts/need.sh kafka
	KAFKA_TEST= $(GO) test -count=1 -timeout 30m -p 1 ./sink/kafka/... ./internal/kafkalive/...

.PHONY: test-kafka-faults
test-kafka-faults: need-go ## Do faults to Kafka for 20 s each under 50,000 flows/s, and deliver in every way (root; 45 minutes)
	@scripts/need.sh kafka root
	KAFKA_TEST= KAFKA_TEST_FAULTS=full $(GO) test -count=1 -timeout 120m -v ./internal/kafkalive/...

# What of the tests against real Kafka a CI run has time for.
.PHONY: test-kafka-ci
test-kafka-ci: need-go
	@scripts/need.sh kafka root
	KAFKA_TEST= CI=true $(GO) test -count=1 -timeout 15m -run 'TestRealSecurity|TestRealRefusals|TestRealPipelines' ./sink/kafka/...
	KAFKA_TEST= CI=true $(GO) test -count=1 -timeout 15m ./internal/kafkalive/...

# One machine for each kernel and card: docs/testing.md.
KERNELS ?= bookworm,trixie,trixie-backports-6.17,trixie-backports
CARDS   ?= virtio_net,igb,vmxnet3,e1000e
MATRIX   = $(GO) run ./internal/vmtest/matrix -weir $(BIN)/weir -work $(BIN)/vm

.PHONY: test-vm
test-vm: build ## Test on Debian's kernels with other network cards, in virtual machines (root, an hour)
	@scripts/need.sh root vm
	$(MATRIX) -kernels $(KERNELS) -cards $(CARDS) -out $(BIN)/vm.md

# What of it a CI run has time for.
.PHONY: test-vm-ci
test-vm-ci: build
	@scripts/need.sh root vm
	$(MATRIX) -kernels bookworm,trixie -cards virtio_net
	$(MATRIX) -kernels trixie-backports-6.17,trixie-backports -cards virtio_net -steps verify -tests=false

.PHONY: test-vm-systemd
test-vm-systemd: build ## Test the systemd unit with XDP on Debian 12 and 13, in virtual machines (root)
	@scripts/need.sh root vm
	$(MATRIX) -systemd -kernels bookworm,trixie -cards virtio_net -out $(BIN)/vm-systemd.md

.PHONY: corpus
corpus: need-go ## Decode every capture of the corpus (WEIR_CORPUS or ../shared/corpus)
	$(GO) test -count=1 -tags $(TAGS) -v -run Corpus ./internal/corpus/... | grep -v '^=== '

.PHONY: fuzz
fuzz: need-go ## Run every fuzz target for FUZZTIME (20s)
	@GO="$(GO)" TAGS="$(TAGS)" scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: need-go ## Print our figures: decode-and-produce, encoders, rings, sockets
	$(GO) test -run '^$$' -bench . -benchmem -count 5 ./producer/... ./decoders/... ./ringbuf/... ./internal/udp/...

.PHONY: bench-peers
bench-peers: need-go ## Compare decode-and-produce with goflow2 in one run
	cd bench/peers && $(GO) run -pgo ../../cmd/weir/default.pgo . -rounds 7

.PHONY: bench-e2e
bench-e2e: build ## Measure collectors as processes, over loopback UDP and AF_XDP (root, two CPUs, three quarters of an hour)
	@scripts/need.sh root
	@$(GO) build -o $(BIN)/gen ./bench/gen
	@$(GO) build -o $(BIN)/replay ./bench/replay
	@cd bench/peers && $(GO) build -o ../../$(BIN)/e2e ./e2e
	@GOBIN=$(CURDIR)/$(BIN) $(GO) install github.com/netsampler/goflow2/v2/cmd/goflow2@v2.2.6
	$(BIN)/e2e -goflow2 $(BIN)/goflow2

.PHONY: profile
profile: need-go ## Take CPU profiles of decode-and-produce, with their top lists, into bench/results
	@scripts/profile.sh $(GO)

.PHONY: pgo
pgo: need-go ## Profile decode-and-produce again, for the compiler (cmd/weir/default.pgo)
	@# -trimpath, and a binary elsewhere: the profile names no path of this machine.
	dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
		$(GO) test -trimpath -run '^$$' -bench 'BenchmarkDatagram|BenchmarkMapping|BenchmarkEnrich' -benchtime 500ms \
		-cpuprofile cmd/weir/default.pgo -o "$$dir/pgo.test" ./producer

.PHONY: compat
compat: need-go ## Compare every message with goflow2's: captures, synthetic loads, a dozen mappings (minutes)
	cd bench/peers && $(GO) test -count=1 -timeout 20m -run 'TestCompat|TestRaw' .

# What of it a CI run has time for.
.PHONY: compat-ci
compat-ci: need-go
	cd bench/peers && $(GO) vet ./... && $(GO) test -count=1 -short -timeout 10m .

.PHONY: bench-kafka
bench-kafka: need-go ## Compare the output to Kafka with goflow2's, against a real broker
	@scripts/need.sh kafka
	eval "$$(scripts/kafka up)"; trap 'scripts/kafka down' EXIT; scripts/kafka topic bench 8; \
		(cd bench/peers && $(GO) run ./kafka -n 7 -compressions none,lz4,zstd)

.PHONY: bench-enrich
bench-enrich: build ## Compare the enricher with goflow2's in one run
	cd bench/peers && $(GO) build -o ../../$(BIN)/goflow2-enricher github.com/netsampler/goflow2/v2/cmd/enricher
	cd bench/peers && $(GO) build -o ../../$(BIN)/bench-enrich ./enrich
	$(BIN)/bench-enrich

.PHONY: bench-receive
bench-receive: need-go ## Compare the cost of receiving with other ways (root, two CPUs, ten minutes)
	@scripts/need.sh root
	cd bench/peers && $(GO) build -o ../../$(BIN)/receive ./receive
	$(BIN)/receive

.PHONY: soak
soak: build ## Run a collector under a mixed load (SOAK="-duration 30m -pps 50000 -exporters 5000 -adversary 20") and judge it
	cd bench/peers && $(GO) build -o ../../$(BIN)/soak ./soak
	$(BIN)/soak -weir $(BIN)/weir $(SOAK)

.PHONY: demo
demo: build ## Show the capture path in network namespaces at rising rates (root)
	@scripts/need.sh root
	@$(GO) build -o $(BIN)/gen ./bench/gen
	@$(GO) build -o $(BIN)/replay ./bench/replay
	@scripts/demo

.PHONY: generate
generate: need-go ## Write generated code again (needs clang 14)
	$(GO) generate ./producer/schema
	@scripts/need.sh clang
	$(GO) generate ./bpf

.PHONY: check-generated
check-generated: need-go ## Fail if generated code is not up to date
	@GO="$(GO)" scripts/check-generated.sh $(PROTOCGENGO)

.PHONY: lint
lint: need-go ## gofmt, vet, staticcheck, import rules
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet -tags $(TAGS) ./...
	$(GO) run $(STATICCHECK) -tags $(TAGS) ./...
	cd bench/peers && $(GO) vet ./... && $(GO) run $(STATICCHECK) ./...
	$(GO) mod tidy -diff
	cd bench/peers && $(GO) mod tidy -diff
	for module in image dashboards compose; do (cd scripts/$$module && $(GO) vet . && $(GO) mod tidy -diff) || exit 1; done
	$(GO) test -count=1 ./internal/lint/...

.PHONY: cross
cross: need-go ## Build for arm64, and for a system without the Linux parts
	GOOS=linux GOARCH=arm64 $(GO) build -pgo=off ./...
	GOOS=linux GOARCH=arm64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) build -pgo=off ./...

.PHONY: packaging
packaging: need-go ## Check the systemd unit, the packages and the manual pages
	@scripts/need.sh packaging
	scripts/packaging/verify.sh
	scripts/packaging/packages.sh $(BIN)/packages
	scripts/packaging/lint.sh $(BIN)/packages
	CI=true $(GO) test -count=1 ./internal/manual/...
	cd scripts/compose && $(GO) test -count=1 .

.PHONY: test-packages
test-packages: need-go ## Install, upgrade, remove and purge the deb on Debian 12 and 13 (root; minutes)
	@scripts/need.sh root packaging vm
	scripts/packaging/test-packages.sh $(BIN)/test-packages

.PHONY: ci
ci: ## What the project's CI runs
	@scripts/need.sh root exporters cgo protoc clang kafka packaging vm
	$(MAKE) check-generated
	$(MAKE) lint
	$(MAKE) cross
	CI=true $(MAKE) test
	CI=true $(MAKE) test-memory
	$(MAKE) compat-ci
	$(MAKE) test-kafka-ci
	$(MAKE) test-vm-ci
	$(MAKE) packaging
	$(MAKE) fuzz

.PHONY: ci-long
ci-long: need-go ## Run what takes too long for CI, or PARTS of it, and keep the results (root, hours)
	@scripts/need.sh root
	scripts/ci-long.sh $(PARTS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN)
