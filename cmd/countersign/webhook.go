package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"countersign/internal/auth"
	"countersign/internal/webhook"
)

// webhookConfig is the part of the configuration that says where tenants' webhooks may lead.
type webhookConfig struct {
	// Allow are addresses or networks of your own that webhooks may lead to, also by plain HTTP: everything else that is not of the public
	// internet is refused, and public addresses are called by HTTPS only. Default: none.
	Allow []string `yaml:"allow"`
}

// networks reads Allow, in which a network that is too wide would open the metadata of clouds, and us.
func (c webhookConfig) networks() ([]netip.Prefix, error) { return networks(c.Allow) }

type webhookCommand struct {
	List   webhookList   `cmd:"" help:"List what was or is to be told to a tenant's webhook and, of logouts, to its clients; newest first."`
	Replay webhookReplay `cmd:"" help:"Have deliveries that failed for good tried again, from the start and under their ids."`
}

type webhookList struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	Status string `default:"any" enum:"any,failed,pending,delivered" help:"Only these: ${enum}."`
	Limit  int    `default:"100" help:"At most so many."`
}

// Run lists. Neither the content of a delivery nor the webhook's URL is shown: there are tokens in them.
func (c webhookList) Run(w *world) error {
	if c.Limit < 1 {
		return errors.New("--limit: want at least 1")
	}
	return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		status := auth.ParcelStatus(c.Status)
		if c.Status == "any" {
			status = ""
		}
		all, err := s.Deliveries(ctx, auth.TenantID(c.Tenant), status, c.Limit)
		for _, d := range all {
			fmt.Fprintf(w.stdout, "%s  %s  %s  tries %d  made %s  %s  %s\n", d.ID, d.Status, pathOf(d), d.Tries,
				d.CreatedAt.Format(time.RFC3339), whenOf(d.Parcel), cmp.Or(d.Result, "-"))
		}
		return err
	})
}

// pathOf is where a delivery goes, below the webhook's URL; "-" once its content is gone.
func pathOf(d auth.Delivery) string {
	if d.Logout != nil {
		return "logout of " + string(d.Logout.Client)
	}
	if d.News == nil {
		return "-"
	}
	return cmp.Or(webhook.Path(*d.News), "-")
}

func whenOf(p auth.Parcel) string {
	if p.Status == auth.ParcelPending {
		return "due " + p.DueAt.Format(time.RFC3339)
	}
	return "settled " + p.SettledAt.Format(time.RFC3339)
}

type webhookReplay struct {
	configured
	Tenant string `arg:"" help:"Tenant id."`
	ID     string `arg:"" optional:"" help:"Id of the delivery, its call-ref."`
	All    bool   `help:"All of the tenant's that failed."`
}

// replayLimit bounds what one command replays.
const replayLimit = 10_000

// Run replays one delivery or all; running servers carry them within a second.
func (c webhookReplay) Run(w *world) error {
	if (c.ID != "") == c.All {
		return errors.New("give the id of a delivery, or --all")
	}
	tenant := auth.TenantID(c.Tenant)
	if c.All {
		return c.do(w, "tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error { return replayAll(ctx, w, s, tenant) })
	}
	return c.do(w, "failed delivery "+c.ID+" in tenant "+c.Tenant, func(ctx context.Context, s *auth.Service) error {
		if err := s.ReplayParcel(ctx, tenant, auth.ParcelID(c.ID)); errors.Is(err, auth.CodeNotFound) {
			return auth.ErrNotFound
		} else if err != nil {
			return err
		}
		return say(w.stdout, "delivery %s is tried again", c.ID)
	})
}

// replayAll replays what has failed by now, each once: a running server may have one fail again at once.
func replayAll(ctx context.Context, w *world, s *auth.Service, tenant auth.TenantID) error {
	all, err := s.Deliveries(ctx, tenant, auth.ParcelFailed, replayLimit)
	if err != nil {
		return err
	}
	replayed := 0
	for _, d := range all {
		switch err := s.ReplayParcel(ctx, tenant, d.ID); {
		case err == nil:
			replayed++
		case !errors.Is(err, auth.CodeNotFound): // somebody else replayed it
			return fmt.Errorf("replay %s, after %d others: %w", d.ID, replayed, err)
		}
	}
	if len(all) == replayLimit {
		return say(w.stdout, "%d deliveries are tried again; there may be more, so give the command once more", replayed)
	}
	return say(w.stdout, "%d deliveries are tried again", replayed)
}
