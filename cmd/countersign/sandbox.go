package main

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"countersign/internal/auth"
	"countersign/internal/passhash"
	"countersign/internal/sandbox"
	"countersign/internal/seed"
)

type sandboxCommand struct {
	Listen string        `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Loopback address to listen on."`
	Expose bool          `help:"Take any address of this machine: for your own network alone, since whoever reaches the sandbox reads its codes. Needs TLS."`
	Cert   string        `name:"tls-cert" placeholder:"FILE" help:"Certificate, PEM, for the name that links lead to."`
	Key    string        `name:"tls-key" placeholder:"FILE" help:"Its key, PEM."`
	Data   string        `placeholder:"FILE" help:"Database; by default a temporary file that goes with the process."`
	Seed   string        `placeholder:"FILE" help:"Seed file; by default a built-in demo."`
	Ops    string        `placeholder:"ADDRESS" help:"Loopback address for /metrics."`
	Wait   time.Duration `placeholder:"TIME" help:"How long a call may wait for PostgreSQL, and for its turn at a password (2s and 5s): more on a slow machine."`
}

// Run serves the sandbox until it is told to stop.
func (c sandboxCommand) Run(w *world) error {
	pair, err := c.secured()
	if err != nil {
		return err
	}
	name, data := "the built-in demo", seed.Demo()
	if c.Seed != "" {
		name = c.Seed
		if data, err = os.ReadFile(c.Seed); err != nil {
			return fmt.Errorf("read seed: %w", err)
		}
	}
	setup, err := seed.Parse(name, data)
	if err != nil {
		return err
	}
	if c.Data == "" {
		dir, err := os.MkdirTemp("", "countersign-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		c.Data = filepath.Join(dir, "sandbox.db")
	}
	a, err := newApp(w.ctx, settings{
		listen: c.Listen, ops: c.Ops, database: c.Data, migrate: true, keys: [][]byte{sandboxKey()}, mode: modeSandbox,
		webhooks: loopback(), clock: &sandbox.Clock{}, shutdownLimit: 5 * time.Second, log: w.stderr, certificate: pair,
		hash: passhash.Config{Kernel: lookup(w.env, envKernel), Wait: c.Wait}, patience: c.Wait, attemptWait: c.Wait,
	})
	if err != nil {
		return err
	}
	defer a.Close()
	if _, err := a.auth.Apply(w.ctx, setup); err != nil {
		if errors.Is(err, auth.ErrOtherSetup) {
			return fmt.Errorf("%s holds another seed than %s; give the same --seed, or another --data", c.Data, name)
		}
		return err
	}
	if c.Expose {
		fmt.Fprintln(w.stdout, "Open to your network: whoever reaches it reads every code and moves the clock.")
	}
	welcome(w.stdout, a.publicURL, c.Data, setup)
	return a.serve(w.ctx)
}

// secured reads the certificate, if there is one, and refuses addresses that others reach, unless that is asked for by name.
func (c sandboxCommand) secured() (*tls.Certificate, error) {
	const open = "%s is not a loopback address: the sandbox's codes and clock are open to whoever reaches it"
	switch {
	case !isAddress(c.Listen):
		return nil, fmt.Errorf("--listen: %q is no address; want ADDRESS:PORT, as in 127.0.0.1:8080", c.Listen)
	case c.Wait != 0 && c.Wait < leastWait:
		return nil, fmt.Errorf("--wait: is below %s, in which no database can be relied on to answer", leastWait)
	case !isLoopback(c.Listen) && !c.Expose:
		return nil, fmt.Errorf(open+" (--expose lets your own network)", c.Listen)
	case c.Ops != "" && !isLoopback(c.Ops):
		return nil, fmt.Errorf(open, c.Ops)
	case c.Cert == "" && c.Key == "" && !c.Expose:
		return nil, nil
	case c.Cert == "" || c.Key == "":
		return nil, errors.New("--tls-cert and --tls-key go together, and --expose needs both")
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	if len(pair.Leaf.DNSNames) == 0 || strings.Contains(pair.Leaf.DNSNames[0], "*") {
		return nil, fmt.Errorf("%s: the certificate is for no name that links can lead to; make it with subjectAltName=DNS:NAME", c.Cert)
	}
	return &pair, nil
}

// loopback is where the webhooks of the sandbox may lead beside the public internet.
func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// sandboxKey seals the sandbox's database. It is no secret: production refuses that database.
func sandboxKey() []byte {
	key := sha256.Sum256([]byte("countersign sandbox: this key is public"))
	return key[:]
}

// welcome prints what a newcomer needs: keys, users and lines to paste.
func welcome(w io.Writer, base, data string, setup auth.Setup) {
	fmt.Fprintf(w, "Countersign sandbox on %s\nData in %s. Nothing here is for production.\n", base, data)
	for _, t := range setup.Tenants {
		welcomeTenant(w, base, t)
	}
	const act = "curl -X POST %s%s -H 'Content-Type: application/json' -d '%s'\n"
	fmt.Fprintf(w, "\nInbox, with every SMS, e-mail and push: %[1]s/sandbox/inbox\nPhone, to approve what a push asks:     %[1]s/sandbox/phone\nDevices, to bind a real phone instead:  %[1]s/sandbox/devices\n", base)
	fmt.Fprintf(w, "\nMove the clock for the whole server:\n  "+act, base, "/sandbox/clock", `{"advance":"30m"}`)
	fmt.Fprintf(w, "Answer an endpoint with an error, twice:\n  "+act, base, "/sandbox/faults",
		`{"method":"POST","path":"/multi/login_with_password","status":503,"times":2}`)
	fmt.Fprintf(w, "Back to the start:\n  curl -X POST %s/sandbox/reset\n", base)
	fmt.Fprintf(w, "\nContracts: %[1]s/docs/multi.yaml, cis.yaml, simulate.yaml and sandbox.yaml beside it. Stop with Ctrl-C.\n", base)
}

func welcomeTenant(w io.Writer, base string, t auth.TenantSetup) {
	fmt.Fprintf(w, "\nTenant %s: %s\n", t.Tenant.ID, t.Tenant.Name)
	for _, k := range t.APIKeys {
		fmt.Fprintf(w, "  api-key %s\n", k.Key)
	}
	for _, k := range t.ProgrammeKeys {
		fmt.Fprintf(w, "  programme-key %s (of %s/simulate/api)\n", k, base)
	}
	for _, c := range t.Clients {
		fmt.Fprintf(w, "  client  %s, secret %s (%s)\n", c.ID, c.Secret, c.Kind)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, u := range t.Users {
		fmt.Fprintf(table, "  user\t%s\t%s\t%s\n", firstOf(u.Email, u.Username, u.Phone), passwordNote(u.Password), memberNote(u))
	}
	table.Flush()
	if user, ok := firstLogin(t); ok {
		welcomeLogins(w, base, t, user)
	}
}

// welcomeLogins prints a login through each contract.
func welcomeLogins(w io.Writer, base string, t auth.TenantSetup, u auth.UserSetup) {
	if len(t.APIKeys) > 0 {
		fmt.Fprintf(w, "\nLog in through /multi:\n  curl -i %s/multi/login_with_password -H 'api-key: %s' -H 'Content-Type: application/json' \\\n    -d '{\"email\":\"%s\",\"password\":{\"value\":\"%s\"}}'\n",
			base, t.APIKeys[0].Key, u.Email, u.Password.Value)
		welcomeStepUp(w, base, t.APIKeys[0].Key, u)
	}
	for _, c := range t.Clients {
		if c.Kind == auth.ClientApplication {
			fmt.Fprintf(w, "\nLog in through /cis:\n  TOKEN=$(curl -s %[1]s/oidc/token -d grant_type=client_credentials -d client_id=%[2]s -d client_secret=%[3]s \\\n    | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n  curl -i %[1]s/cis/v1/auth/password/authenticate -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n    -d '{\"username\":\"%[4]s\",\"username_type\":\"email\",\"password\":\"%[5]s\",\"claims\":{\"id_token\":{\"email\":null}}}'\n",
				base, c.ID, c.Secret, u.Email, u.Password.Value)
			return
		}
	}
}

// welcomeStepUp prints how a user who has a phone and acts for one identity steps up.
func welcomeStepUp(w io.Writer, base, key string, u auth.UserSetup) {
	if u.Phone == "" || len(u.RootOf)+len(u.UserOf) != 1 {
		return
	}
	fmt.Fprintf(w, "\nStep up with a code by SMS, which is in the inbox:\n  TOKEN=$(curl -s %[1]s/multi/login_with_password -H 'api-key: %[2]s' -H 'Content-Type: application/json' \\\n    -d '{\"email\":\"%[3]s\",\"password\":{\"value\":\"%[4]s\"}}' | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/')\n",
		base, key, u.Email, u.Password.Value)
	fmt.Fprintf(w, "  curl -i -X POST %[1]s/multi/stepup/challenges/otp/SMS -H 'api-key: %[2]s' -H \"Authorization: Bearer $TOKEN\"\n  curl -i %[1]s/multi/stepup/challenges/otp/SMS/verify -H 'api-key: %[2]s' -H \"Authorization: Bearer $TOKEN\" \\\n    -H 'Content-Type: application/json' -d '{\"verificationCode\":\"123456\"}'\n", base, key)
	for _, a := range u.Authenticators {
		if a.Kind == auth.AuthenticatorDevice && a.Simulated {
			fmt.Fprintf(w, "Or on the phone page:\n  curl -i -X POST %s/multi/stepup/challenges/push/%s -H 'api-key: %s' -H \"Authorization: Bearer $TOKEN\"\n", base, a.Channel, key)
			return
		}
	}
}

// firstLogin is a user whose login succeeds as it is, and whose values need no shell quoting.
func firstLogin(t auth.TenantSetup) (auth.UserSetup, bool) {
	for _, u := range t.Users {
		p := u.Password
		if u.Email != "" && p != nil && p.Value != "" && !p.Expired && !p.Temporary && !u.Suspended && !strings.ContainsAny(p.Value+u.Email, `'"\`) {
			return u, true
		}
	}
	return auth.UserSetup{}, false
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func passwordNote(p *auth.PasswordSetup) string {
	switch {
	case p == nil:
		return "no password"
	case p.Value == "":
		return "password from an imported hash"
	case p.Expired:
		return p.Value + " (expired)"
	case p.Temporary:
		return p.Value + " (temporary)"
	}
	return p.Value
}

func memberNote(u auth.UserSetup) string {
	var parts []string
	for _, r := range u.RootOf {
		parts = append(parts, "root of "+r.String())
	}
	for _, r := range u.UserOf {
		parts = append(parts, "user of "+r.String())
	}
	return strings.Join(parts, ", ")
}
