# The comment behind a target's name is what `make help` shows.

.DEFAULT_GOAL := help
.NOTPARALLEL:

GO       ?= go
FUZZTIME ?= 10s
FAULTS   ?=
ATTACKS  ?=
CHECK    := $(GO) run ./test/check

.PHONY: help run test test-faults attack check format vet staticcheck arrows vulncheck js bench fuzz build clean

help: ## show these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: build ## start the service on the embedded ledger; Ctrl-C stops it, ./data keeps what it issued
	@exec ./bin/issuer

test: ## run every check and every test, and say what this machine cannot run
	@$(CHECK)

test-faults: ## show that every credential is issued exactly once: kills, crashes, bad weather, replicas, clocks (5 minutes)
	@$(GO) run ./test/faults $(FAULTS)

attack: ## misuse the real service in every way that is known, and show that nothing is issued (a minute)
	@$(GO) run ./test/attack $(ATTACKS)

check: ## run the checks without the tests
	@$(CHECK) format vet staticcheck arrows

format vet staticcheck arrows: # one check alone
	@$(CHECK) $@

vulncheck: ## fail on known vulnerabilities that the code can reach (needs a way to vuln.go.dev)
	@$(CHECK) $@

js: ## run the public JavaScript client against the embedded ledger (needs Node.js and npm)
	@$(CHECK) $@

bench: ## measure; every figure stands beside what it is compared to
	@$(GO) run ./test/bench

fuzz: ## run every fuzz test for a while: make fuzz FUZZTIME=1m
	@for pkg in $$($(GO) list ./...); do \
	  for name in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "== $$pkg $$name"; \
	    $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

build: ## build the three programs into ./bin
	@CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/...

clean: ## remove what the other targets made; ./data stays, it is yours
	@rm -rf bin test/js/node_modules
