# Two commands do everything on a fresh machine: make run, make test.

# The Go that go.mod names, fetched like any module, also where `go env` says "local": older ones have known vulnerabilities.
export GOTOOLCHAIN ?= $(shell sed -n 's/^toolchain //p' go.mod)

STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: run build sbom vulnerabilities test check scripts clients torture torture-long bench race generate fuzz

run: ## start the sandbox
	go run ./cmd/countersign sandbox

build: ## the program, static and stripped
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o countersign ./cmd/countersign

sbom: build ## what the program is made of, as CycloneDX: countersign.cdx.json
	go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0 bin -json -std -output countersign.cdx.json countersign

vulnerabilities: ## known ones in what is called of the modules and of Go itself
	scripts/vulnerabilities

test: ## every test, on SQLite and PostgreSQL; installs what it needs first
	scripts/setup
	go vet -tags postgres ./...
	$(STATICCHECK) -tags postgres ./...
	scripts/vulnerabilities
	go test -count=1 -tags postgres -timeout 40m ./...
	$(MAKE) torture
	scripts/fuzz 20000x

check: ## the fast loop: vet, staticcheck, the tests of each package on SQLite
	go vet -tags postgres ./...
	$(STATICCHECK) -tags postgres ./...
	go test $$(go list ./... | grep -v -e /apitest -e /torture -e /bench$$)

scripts: ## the whole program from outside, on SQLite
	go test -count=1 ./internal/apitest # anew: a cached result knows nothing of the program that was built beside it

clients: ## the whole program, used with other people's clients and a browser
	scripts/setup
	go test -count=1 ./internal/apitest/clients

torture: ## what was answered stays so, whatever breaks
	scripts/setup
	go run ./internal/torture -seed 1

torture-long: ## the same for a night, on a machine that allows everything; writes the table of docs/reliability.md
	scripts/setup
	scripts/fuzz 10000000x FuzzKey
	go run ./internal/torture -long -all -markdown docs/reliability.md

race: ## every test under the race detector
	scripts/setup
	go test -race -tags postgres -timeout 60m ./...

fuzz: ## each fuzz target, half a million inputs
	scripts/fuzz 500000x

bench: ## logins and token checks against the limits of this machine, side by side
	scripts/setup
	go run ./bench

generate: ## the code of the queries, which needs sqlc, and what the server reads of its documents
	go generate ./internal/store
	go test ./api -run TestRequests -update
