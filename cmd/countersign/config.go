package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"countersign/internal/auth"
	"countersign/internal/passhash"
	"countersign/internal/store"
)

// Config is the configuration of `countersign serve`, a YAML file; these comments are its manual. An unknown key is an error with its
// line. Secrets may stand in the environment instead of the file.
type Config struct {
	// Listen is the address of the public listener. Anything but loopback needs TLS here, or a proxy that ends it and is named in
	// trusted_proxies. Default: 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// TLS is the certificate of the public listener, PEM files that are read at start.
	TLS struct {
		Certificate string `yaml:"certificate"`
		Key         string `yaml:"key"`
	} `yaml:"tls"`
	// OpsListen is the address of the operators' listener (/metrics, /healthz). Default: none.
	OpsListen string `yaml:"ops_listen"`
	// PublicURL is where clients reach the server, for links and discovery; no request's Host is ever believed. Needed.
	PublicURL string `yaml:"public_url"`
	// Issuer is iss of the tokens of /cis. Default: public_url + /cis/oidc, where discovery stands.
	Issuer string `yaml:"issuer"`
	// Database is sqlite:FILE, or postgres://… when one machine is not enough. COUNTERSIGN_DATABASE goes before the file. Needed. Of PostgreSQL
	// with standbys name every host, and target_session_attrs=read-write; let commits wait for one, see docs/reliability.md.
	Database string `yaml:"database"`
	// InsecureDatabase allows a PostgreSQL server on another machine to be reached without a verified certificate. Without it such a
	// URL needs sslmode=verify-full. Default: false.
	InsecureDatabase bool `yaml:"insecure_database"`
	// MaxConnections bounds the connections to the database. Default: 16.
	MaxConnections int `yaml:"max_connections"`
	// DatabaseWait is how long PostgreSQL may leave a statement, a commit or the wish for a connection without an answer; then the call
	// that waits for it gets 503, and the statement is stopped. Migrations take the time they need. Default: 2s.
	DatabaseWait time.Duration `yaml:"database_wait"`
	// MasterKey seals the secrets in the database: at least 32 random bytes in base64, made by `openssl rand -base64 32`.
	// COUNTERSIGN_MASTER_KEY goes before the file. Needed.
	MasterKey string `yaml:"master_key"`
	// FormerMasterKeys still open what was sealed under them, until `countersign reseal` has sealed it under MasterKey.
	FormerMasterKeys []string `yaml:"former_master_keys"`
	// Seed is a seed file that is applied once, to an empty database. Default: none.
	Seed string `yaml:"seed"`
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed, none wider than a private network: whoever is among them
	// says what address they like. Default: none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// Webhooks is where tenants' webhooks may lead.
	Webhooks webhookConfig `yaml:"webhooks"`
	// Hash is what a new password hash costs, and how many may run.
	Hash struct {
		// MemoryKiB and Passes are Argon2id's m and t. Default: 19456 and 2; never below a row of OWASP ASVS 5 appendix C.
		MemoryKiB uint32 `yaml:"memory_kib"`
		Passes    uint32 `yaml:"passes"`
		// Slots is how many hashes run at once; each keeps memory_kib. Default: the cores.
		Slots int `yaml:"slots"`
		// Wait is how long a login may wait to be let in, to where there is room for slots and max_connections; who is likely not to be
		// done by then is told 503 at once. Default: 450ms.
		Wait time.Duration `yaml:"wait"`
	} `yaml:"hash"`
	// RefusedPerMinute and RefusedPerHour bound the refused logins of one address, by process. Default: 60 and 600.
	RefusedPerMinute int `yaml:"refused_per_minute"`
	RefusedPerHour   int `yaml:"refused_per_hour"`
	// SMSPerHour and SMSPerDay bound what all tenants together send, on all servers. Default: 10000 and 50000.
	SMSPerHour int `yaml:"sms_per_hour"`
	SMSPerDay  int `yaml:"sms_per_day"`
	// ShutdownLimit is how long running requests get when the server is told to stop; who takes longer is cut off, and the exit status is 1.
	// Messages and webhooks that are under way get ten more seconds. Default: 15s.
	ShutdownLimit time.Duration `yaml:"shutdown_limit"`
	// Messages says how people get SMS, e-mails and pushes. Default: none are sent.
	Messages Messages `yaml:"messages"`
}

// Names of the environment.
const (
	envDatabase  = "COUNTERSIGN_DATABASE"
	envMasterKey = "COUNTERSIGN_MASTER_KEY"
	envKernel    = "COUNTERSIGN_HASH_KERNEL" // avx512, avx2 or generic; default: the fastest
)

func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// readConfig reads a file and the environment and fills in the defaults. It does not judge; Config.problems does.
func readConfig(path string, env []string) (Config, error) {
	var c Config
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("read configuration: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, fmt.Errorf("%s: %s", path, unreadable(err))
	} else if err == nil && !errors.Is(d.Decode(new(yaml.Node)), io.EOF) {
		return c, fmt.Errorf("%s: has a second document, which begins with ---; one is allowed", path)
	}
	if v := lookup(env, envDatabase); v != "" {
		c.Database = v
	}
	if v := lookup(env, envMasterKey); v != "" {
		c.MasterKey = v
	}
	c.Messages.readEnvironment(env)
	c.fill()
	return c, nil
}

func (c *Config) fill() {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:8080"
	}
	if c.Issuer == "" && c.PublicURL != "" {
		c.Issuer = c.ownIssuer()
	}
	if c.Hash.MemoryKiB == 0 {
		c.Hash.MemoryKiB = 19456
	}
	if c.Hash.Passes == 0 {
		c.Hash.Passes = 2
	}
	if c.RefusedPerMinute == 0 {
		c.RefusedPerMinute = 60
	}
	if c.RefusedPerHour == 0 {
		c.RefusedPerHour = 600
	}
	if c.SMSPerHour == 0 {
		c.SMSPerHour = 10_000
	}
	if c.SMSPerDay == 0 {
		c.SMSPerDay = 50_000
	}
	if c.ShutdownLimit == 0 {
		c.ShutdownLimit = 15 * time.Second
	}
	if c.DatabaseWait == 0 {
		c.DatabaseWait = 2 * time.Second
	}
	if c.Hash.Wait == 0 {
		c.Hash.Wait = 450 * time.Millisecond
	}
}

// ownIssuer is the issuer unless another is given.
func (c Config) ownIssuer() string { return strings.TrimSuffix(c.PublicURL, "/") + "/cis/oidc" }

// problem is one thing that keeps the server from starting, with the setting that mends it.
type problem struct {
	setting string
	reason  string
}

func (p problem) String() string { return p.setting + ": " + p.reason }

// problems judges a configuration; the server starts only without any.
func (c Config) problems() []problem {
	var all []problem
	add := func(setting, format string, args ...any) {
		all = append(all, problem{setting, fmt.Sprintf(format, args...)})
	}
	c.databaseProblems(add)
	if c.MasterKey == "" {
		add("master_key", "missing; make one with `openssl rand -base64 32` and give it here or in %s", envMasterKey)
	} else if keys, err := decodeKeys(c.MasterKey); err != nil {
		add("master_key", "%v", err)
	} else if _, err := ringOf(keys); err != nil {
		add("master_key", "%v", err)
	} else if _, err := c.masterKeys(); err != nil {
		add("former_master_keys", "%v", err)
	}
	c.urlProblems(add)
	proxies, err := c.proxies()
	if err != nil {
		add("trusted_proxies", "%v", err)
	}
	if _, err := c.Webhooks.networks(); err != nil {
		add("webhooks.allow", "%v", err)
	}
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		add("tls", "certificate and key go together")
	} else if c.TLS.Certificate != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key); err != nil {
			add("tls", "%v", err)
		}
	} else if !isLoopback(c.Listen) && len(proxies) == 0 && isAddress(c.Listen) {
		add("listen", "%s is not loopback: give tls, or name the proxy that ends TLS in trusted_proxies", c.Listen)
	}
	if !isAddress(c.Listen) {
		add("listen", "%q is no address; want ADDRESS:PORT, as in 127.0.0.1:8080", c.Listen)
	}
	if c.OpsListen != "" && !isAddress(c.OpsListen) {
		add("ops_listen", "%q is no address; want ADDRESS:PORT, as in 127.0.0.1:9090", c.OpsListen)
	} else if c.OpsListen != "" && !isLoopback(c.OpsListen) {
		add("ops_listen", "%s is not loopback; the operators' listener has no authentication", c.OpsListen)
	}
	all = append(all, c.Messages.problems()...)
	c.limitProblems(add)
	return all
}

// leastWait is how long a database gets at the least.
const leastWait = 50 * time.Millisecond

// limitProblems judges numbers and times.
func (c Config) limitProblems(add func(setting, format string, args ...any)) {
	for name, n := range map[string]int{
		"refused_per_minute": c.RefusedPerMinute, "refused_per_hour": c.RefusedPerHour, "max_connections": c.MaxConnections,
		"sms_per_hour": c.SMSPerHour, "sms_per_day": c.SMSPerDay,
	} {
		if n < 0 {
			add(name, "is negative")
		}
	}
	if c.DatabaseWait < leastWait {
		add("database_wait", "is below %s, in which no database can be relied on to answer", leastWait)
	}
	if c.ShutdownLimit < 0 {
		add("shutdown_limit", "is negative")
	}
	if hasher, err := passhash.New(c.hashing("")); err != nil {
		add("hash", "%v", err)
	} else {
		hasher.Close()
	}
}

// databaseProblems judges where the database is (security A-143).
func (c Config) databaseProblems(add func(setting, format string, args ...any)) {
	if c.Database == "" {
		add("database", "missing; sqlite:FILE or postgres://… (or "+envDatabase+")")
	} else if !c.InsecureDatabase && store.Unverified(c.Database) {
		add("database", "a server on another machine needs sslmode=verify-full in the URL, or insecure_database: true")
	}
}

// urlProblems judges where clients reach the server, and what it calls itself: paths are added to both (RFC 8414 §2).
func (c Config) urlProblems(add func(setting, format string, args ...any)) {
	if c.PublicURL == "" {
		add("public_url", "missing; the https URL that clients use")
	}
	for _, s := range []struct{ setting, text string }{{"public_url", c.PublicURL}, {"issuer", c.Issuer}} {
		if s.text == "" || s.setting == "issuer" && s.text == c.ownIssuer() {
			continue
		}
		switch u, err := url.Parse(s.text); {
		case err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http"):
			add(s.setting, "is not an http or https URL")
		case u.Scheme == "http" && !isLoopbackHost(u.Hostname()):
			add(s.setting, "is plain http; only a loopback address may be")
		case u.User != nil || strings.ContainsAny(s.text, "?#"):
			add(s.setting, "has a user name, a query or a fragment; want one without")
		}
	}
}

func decodeKeys(texts ...string) ([][]byte, error) {
	var keys [][]byte
	for _, text := range texts {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
		if err != nil {
			return nil, errors.New("is not base64; make one with `openssl rand -base64 32`")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (c Config) masterKeys() ([][]byte, error) {
	keys, err := decodeKeys(append([]string{c.MasterKey}, c.FormerMasterKeys...)...)
	if err == nil {
		_, err = ringOf(keys)
	}
	return keys, err
}

func (c Config) proxies() ([]netip.Prefix, error) { return networks(c.TrustedProxies) }

// networks reads addresses and networks of the operator's own. One that is wider than any private network is taken for a mistake.
func networks(texts []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if addr, ok := netip.ParseAddr(text); ok == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a network", text)
		}
		if p.Addr().Is4In6() && p.Bits() >= 96 { // as those who look at an address read it
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if widest := map[bool]int{true: 8, false: 7}[p.Addr().Is4()]; p.Bits() < widest {
			return nil, fmt.Errorf("%q is wider than /%d; name your own networks", p, widest)
		}
		list = append(list, p)
	}
	return list, nil
}

func (c Config) limits() []auth.Limit {
	return []auth.Limit{{Count: c.RefusedPerMinute, Window: time.Minute}, {Count: c.RefusedPerHour, Window: time.Hour}}
}

func (c Config) smsLimits() []auth.Limit {
	return []auth.Limit{{Count: c.SMSPerHour, Window: time.Hour}, {Count: c.SMSPerDay, Window: 24 * time.Hour}}
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopbackHost(host)
}

func isLoopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
