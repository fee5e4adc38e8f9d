// Command bench measures the server against the limits of the machine it runs on, side by side in one run, and prints a table.
//
// It builds the program, starts it on SQLite and on PostgreSQL, drives it in a closed loop over keep-alive connections and, between
// any two runs, measures what no server could exceed: the hash that this build uses, alone on two goroutines, for logins; an empty
// net/http handler for everything else. The ratio of a run to the limits around it says what the server costs; rates alone say
// more about the machine and who else is using it.
//
// It is a program and not a set of Go benchmarks because what it measures is processes and not functions.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"countersign/internal/passhash"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == emptyHandler {
		fail(serveEmpty(os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fail(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func fail(err error) {
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

// subjects are what can be measured, in the order of the report.
func subjects() []string {
	return []string{"rates", "overload", "herd", "growth", "sweep", "scaleout", "timing"}
}

// orders is what the command line asks for.
type orders struct {
	plan
	subjects []string
	markdown string
	picture  string
	sizes    []int
	samples  int
	expired  int
	herd     int
}

// command is the program without the process around it.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := read(args, stderr)
	if err != nil {
		return err
	}
	hasher, err := passhash.New(passhash.Config{Kernel: os.Getenv(envKernel)})
	if err != nil {
		return err
	}
	head := heading(hasher.Kernel())
	if err := hasher.Close(); err != nil {
		return err
	}
	var r report
	for _, subject := range o.subjects {
		if err := o.measure(ctx, subject, &r); err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
	}
	if o.markdown != "" {
		if err := os.WriteFile(o.markdown, []byte(r.markdown(head)), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, r.text(head))
	return err
}

func read(args []string, stderr io.Writer) (o orders, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: bench [flags] [%s]; rates and overload if nothing is named\n", strings.Join(subjects(), "] ["))
		flags.PrintDefaults()
	}
	seconds := flags.Float64("seconds", 5, "how long each figure is measured, over all rounds")
	flags.IntVar(&o.rounds, "rounds", 3, "over how many rounds; figures are medians of them")
	short := flags.Bool("short", false, "a first impression in a minute")
	flags.StringVar(&o.markdown, "markdown", "", "write the report to this `file`, too, as Markdown")
	flags.StringVar(&o.picture, "picture", "", "write the curve of overload to this `file`, as SVG")
	flags.BoolVar(&o.loginsOnly, "logins", false, "of the rates nothing but logins")
	flags.IntVar(&o.samples, "samples", 2000, "of each kind of account, for timing")
	flags.IntVar(&o.expired, "expired", 200_000, "rows of each kind that are to be swept")
	flags.IntVar(&o.herd, "herd", 5000, "users who come at once")
	many := flags.Int("users", 1_000_000, "the larger of the two databases of growth")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.subjects = flags.Args()
	if len(o.subjects) == 0 {
		o.subjects = []string{"rates", "overload"}
	}
	for _, s := range o.subjects {
		if !slices.Contains(subjects(), s) {
			flags.Usage()
			return o, fmt.Errorf("unknown subject %q", s)
		}
	}
	few := min(10_000, *many)
	if *seconds <= 0 || o.rounds < 1 || o.samples < 20 || few < 400 || o.expired < 1 || o.herd < 1 {
		flags.Usage()
		return o, errors.New("bad arguments")
	}
	o.users, o.conns, o.launches, o.rest, o.postgres, o.progress = 400, []int{1, 8, mostConns}, 7, 35*time.Second, true, stderr
	o.window, o.sizes = time.Duration(*seconds*float64(time.Second)/float64(o.rounds)), []int{few, *many}
	if *short {
		o.rounds, o.window, o.launches, o.rest = 1, 1200*time.Millisecond, 3, 0
	}
	return o, nil
}

// measure measures one subject into the report.
func (o orders) measure(ctx context.Context, subject string, into *report) error {
	switch subject {
	case "rates":
		r, err := o.carryOut(ctx)
		if err != nil {
			return err
		}
		into.add(r.tables(), r.failures())
	case "overload":
		r, err := o.overloads(ctx, []float64{0.1, 0.5, 0.8, 1, 1.5, 2, 3, 5, 10})
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, nil)
		if o.picture != "" {
			return os.WriteFile(o.picture, []byte(r.picture()), 0o644)
		}
	case "herd":
		r, err := o.herds(ctx, o.herd)
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, nil)
	case "growth":
		r, err := o.growths(ctx, o.sizes)
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, failuresOf(r.runs))
	case "sweep":
		r, err := o.sweeps(ctx, o.expired)
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, r.failures())
	case "scaleout":
		r, err := o.scaleouts(ctx, []int{1, 2, 4})
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, nil)
	case "timing":
		r, err := o.timings(ctx, o.samples)
		if err != nil {
			return err
		}
		into.add([]table{r.table()}, nil)
	}
	return nil
}
