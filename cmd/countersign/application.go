package main

import (
	"context"
	"fmt"
	"os"

	"countersign/internal/auth"
	"countersign/internal/seed"
)

type applicationCommand struct {
	Methods applicationMethods `cmd:"" help:"Say by a file how the users of an application prove themselves."`
}

type applicationMethods struct {
	configured
	Tenant      string `arg:"" help:"Tenant id."`
	Application string `arg:"" help:"Application id."`
	File        string `arg:"" help:"YAML, as below methods in a seed file. What it does not name is as the tenant's settings say; {} names nothing."`
}

// Run puts other rules in the place of the application's; running servers see them with their next request.
func (c applicationMethods) Run(w *world) error {
	data, err := os.ReadFile(c.File)
	if err != nil {
		return fmt.Errorf("read methods: %w", err)
	}
	m, err := seed.ParseMethods(c.File, data)
	if err != nil {
		return err
	}
	return c.do(w, "application "+c.Application+" or tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		if err := s.SetAppMethods(ctx, auth.TenantID(c.Tenant), c.Application, m); err != nil {
			return err
		}
		return say(w.stdout, "application %s is changed", c.Application)
	})
}
