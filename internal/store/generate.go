package store

// The queries are compiled by sqlc v1.31.1, a tool that is not part of the program:
//
//	CGO_ENABLED=0 go install github.com/sqlc-dev/sqlc/cmd/sqlc@v1.31.1

//go:generate sqlc generate
