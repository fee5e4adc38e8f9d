package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strings"

	"countersign/internal/auth"
	"countersign/internal/passhash"
	"countersign/internal/seed"
)

type serveCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file."`
}

// Run serves until it is told to stop.
func (c serveCommand) Run(w *world) error {
	config, err := soundConfig(c.Config, w.env)
	if err != nil {
		return err
	}
	s, err := config.settings(w)
	if err != nil {
		return err
	}
	a, err := newApp(w.ctx, s)
	if err != nil {
		return err
	}
	defer a.Close()
	if config.Seed != "" {
		if err := applySeedFile(w.ctx, a.auth, config.Seed); err != nil {
			return err
		}
	}
	return a.serve(w.ctx)
}

// soundConfig reads a configuration and refuses one with problems, naming each setting.
func soundConfig(path string, env []string) (Config, error) {
	config, err := readConfig(path, env)
	if err != nil {
		return config, err
	}
	if problems := config.problems(); len(problems) > 0 {
		lines := make([]string, len(problems))
		for i, p := range problems {
			lines[i] = "  " + p.String()
		}
		return config, fmt.Errorf("%s is not fit to serve:\n%s", path, strings.Join(lines, "\n"))
	}
	return config, nil
}

// settings turns a sound configuration into what the wiring needs.
func (c Config) settings(w *world) (settings, error) {
	keys, err := c.masterKeys()
	if err != nil {
		return settings{}, err
	}
	proxies, err := c.proxies()
	if err != nil {
		return settings{}, err
	}
	webhooks, err := c.Webhooks.networks()
	if err != nil {
		return settings{}, err
	}
	messages, problems := c.Messages.notify()
	if len(problems) > 0 {
		return settings{}, fmt.Errorf("%s: %s", problems[0].setting, problems[0].reason)
	}
	s := settings{
		listen: c.Listen, ops: c.OpsListen, publicURL: strings.TrimSuffix(c.PublicURL, "/"), issuer: c.Issuer, database: c.Database,
		maxConns: c.MaxConnections, patience: c.DatabaseWait, keys: keys, mode: modeLive, limits: c.limits(), smsLimits: c.smsLimits(),
		proxies: proxies, shutdownLimit: c.ShutdownLimit, steady: systemClock(), log: w.stderr, messages: messages, webhooks: webhooks,
		hash: c.hashing(lookup(w.env, envKernel)),
	}
	if c.TLS.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
		if err != nil {
			return settings{}, err
		}
		s.certificate = &pair
	}
	return s, nil
}

// hashing is how passwords are hashed.
func (c Config) hashing(kernel string) passhash.Config {
	return passhash.Config{
		Params: passhash.Params{Memory: c.Hash.MemoryKiB, Time: c.Hash.Passes, Threads: 1}, Slots: c.Hash.Slots, Wait: c.Hash.Wait,
		Beside: max(c.MaxConnections, 0), Kernel: kernel,
	}
}

func applySeedFile(ctx context.Context, service *auth.Service, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read seed: %w", err)
	}
	setup, err := seed.Parse(path, data)
	if err != nil {
		return err
	}
	_, err = service.Apply(ctx, setup)
	if errors.Is(err, auth.ErrOtherSetup) {
		return fmt.Errorf("%s: %w; a seed file is applied to an empty database only", path, err)
	}
	return err
}
