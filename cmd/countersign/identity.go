package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"countersign/internal/auth"
)

type identityCommand struct {
	Suspend identitySuspend `cmd:"" help:"Let nobody act for an identity any more."`
	Resume  identityResume  `cmd:"" help:"Let its users act for a suspended identity again."`
	Verify  identityVerify  `cmd:"" help:"Note that an identity's due diligence is approved, and with it its root users' addresses."`
	Reject  identityReject  `cmd:"" help:"Note that an identity's due diligence is rejected."`
}

// identityArgs name an identity.
type identityArgs struct {
	Config   string `required:"" placeholder:"FILE" help:"Configuration file."`
	Tenant   string `arg:"" help:"Tenant id."`
	Identity string `arg:"" placeholder:"TYPE:ID" help:"CONSUMER:ID or CORPORATE:ID."`
}

type (
	identitySuspend struct {
		identityArgs
		Reason string `default:"UNDEFINED_REASON" placeholder:"CODE" help:"What the tenant's webhook is told: a reasonCode of the contract."`
	}
	identityResume struct{ identityArgs }
	identityVerify struct{ identityArgs }
	identityReject struct{ identityArgs }
)

// reasons are the reason codes of contract/multi §4.2.
func reasons() []string {
	return []string{"UNDEFINED_REASON", "ACCOUNT_REVIEW", "ACCOUNT_SECURITY", "TEMPORARY", "ACCOUNT_CLOSURE", "ACCOUNT_ABANDONED"}
}

// Run suspends.
func (c identitySuspend) Run(w *world) error {
	if !slices.Contains(reasons(), c.Reason) {
		return fmt.Errorf("--reason must be one of %s", strings.Join(reasons(), ", "))
	}
	return c.run(w, "suspended", func(ctx context.Context, s *auth.Service, t auth.TenantID, ref auth.IdentityRef) error {
		return s.SuspendIdentity(ctx, t, ref, c.Reason)
	})
}

// Run resumes.
func (c identityResume) Run(w *world) error {
	return c.run(w, "resumed", func(ctx context.Context, s *auth.Service, t auth.TenantID, ref auth.IdentityRef) error {
		return s.ResumeIdentity(ctx, t, ref)
	})
}

// Run notes the approval.
func (c identityVerify) Run(w *world) error {
	return c.run(w, "verified", func(ctx context.Context, s *auth.Service, t auth.TenantID, ref auth.IdentityRef) error {
		return s.VerifyIdentity(ctx, t, ref)
	})
}

// Run notes the rejection.
func (c identityReject) Run(w *world) error {
	return c.run(w, "rejected", func(ctx context.Context, s *auth.Service, t auth.TenantID, ref auth.IdentityRef) error {
		return s.RejectIdentity(ctx, t, ref)
	})
}

func (c identityArgs) run(
	w *world, done string, do func(context.Context, *auth.Service, auth.TenantID, auth.IdentityRef) error,
) error {
	ref, ok := auth.ParseIdentityRef(c.Identity)
	if !ok {
		return fmt.Errorf("%s: an identity is CONSUMER:ID or CORPORATE:ID", c.Identity)
	}
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	return config.withService(w, func(ctx context.Context, s *auth.Service) error {
		if err := do(ctx, s, auth.TenantID(c.Tenant), ref); err != nil {
			if errors.Is(err, auth.CodeNotFound) {
				return fmt.Errorf("tenant %s has no identity %s", c.Tenant, ref)
			}
			return err
		}
		fmt.Fprintf(w.stdout, "identity %s is %s\n", ref, done)
		return nil
	})
}
