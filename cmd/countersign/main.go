// Command countersign is a self-hosted authentication server. It is the only package that knows every other: it reads the
// configuration, wires the parts together and runs them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"countersign/internal/passhash"
)

// garbage is how much of it may lie about before it is collected, in percent of what is in use, unless GOGC says otherwise. The server
// keeps a few MB, and makes garbage of every request: at Go's 100 a token check costs about a tenth more, and the server is 5 MiB smaller.
const garbage = 200

func main() {
	if lookup(os.Environ(), "GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	// A second signal ends the program at once.
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "countersign: "+err.Error())
		os.Exit(statusOf(err))
	}
}

// program is the command line.
type program struct {
	Sandbox     sandboxCommand     `cmd:"" help:"Start an offline server for trying and testing, on loopback unless exposed."`
	Serve       serveCommand       `cmd:"" help:"Start the server for production."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database's schema up to date."`
	Restored    restoredCommand    `cmd:"" help:"After a restore from a backup: end all sessions and void all codes."`
	Reseal      resealCommand      `cmd:"" help:"After a change of the master key: seal everything under it, so that the former one can go."`
	Check       checkCommand       `cmd:"" help:"Check configuration and data; say what is wrong and which setting it is."`
	Tenant      tenantCommand      `cmd:"" help:"List or create tenants."`
	Key         keyCommand         `cmd:"" help:"List, create or revoke API keys."`
	Client      clientCommand      `cmd:"" help:"List, create, change, rotate or disable clients."`
	Application applicationCommand `cmd:"" help:"Say how the users of an application prove themselves."`
	SigningKey  signingKeyCommand  `cmd:"" name:"signing-key" help:"List or rotate the keys that sign tokens."`
	PushKey     pushKeyCommand     `cmd:"" name:"push-key" help:"Make a key for Web Push."`
	User        userCommand        `cmd:"" help:"Unlock, suspend or resume a user."`
	Webhook     webhookCommand     `cmd:"" help:"List or replay deliveries to a tenant's webhook."`
	Device      deviceCommand      `cmd:"" help:"Play a device that approves, with its key in a file; for tests."`
	Evidence    evidenceCommand    `cmd:"" help:"Check what a device signed."`
	Identity    identityCommand    `cmd:"" help:"Suspend, resume or verify a consumer or corporate."`
	Version     versionCommand     `cmd:"" help:"Print version, build and hash kernel."`
}

// world is what a command may touch.
type world struct {
	ctx    context.Context
	env    []string
	stdout io.Writer
	stderr io.Writer
}

// exited is how kong's help leaves the parser.
type exited int

func (e exited) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// run is the program without the process around it.
func run(ctx context.Context, args, env []string, stdout, stderr io.Writer) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exited:
			if r != 0 {
				err = r
			}
		default:
			panic(r)
		}
	}()
	parser, err := kong.New(&program{}, kong.Name("countersign"), kong.Writers(stdout, stderr),
		kong.Description("A self-hosted authentication server for regulated platforms."),
		kong.Exit(func(code int) { panic(exited(code)) }), kong.UsageOnError())
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if err != nil {
		return err
	}
	out := &output{Writer: stdout}
	err = command.Run(&world{ctx, env, out, stderr})
	if err == nil && out.failure != nil {
		return fmt.Errorf("what was to be printed was not, all or in part: %w", out.failure)
	}
	return err
}

// output keeps the first failure to print, so that no command ends well whose answer nobody got.
type output struct {
	io.Writer
	failure error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if o.failure == nil {
		o.failure = err
	}
	return n, err
}

type versionCommand struct{}

// Run prints what runs: the module's version, the commit, the Go that built it and the hash kernel in use.
func (versionCommand) Run(w *world) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("the binary holds no build information")
	}
	commit := "unknown"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			commit = s.Value
		}
	}
	hasher, err := passhash.New(passhash.Config{Kernel: lookup(w.env, envKernel)})
	if err != nil {
		return err
	}
	defer hasher.Close()
	_, err = fmt.Fprintf(w.stdout, "countersign %s\ncommit  %s\nbuild   %s\nhash    %s, kernel %s\n",
		info.Main.Version, commit, info.GoVersion, hasher.Shape(), hasher.Kernel())
	return err
}
