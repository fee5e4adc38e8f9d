//go:build postgres

package apitest

import (
	"testing"

	"countersign/internal/pgtest"
)

func TestScriptsPostgres(t *testing.T) {
	s := suite{data: pgtest.Database}
	s.run(t)
}
