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
	"syscall"
	"time"
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

// command is the program without the process around it.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	seconds := flags.Float64("seconds", 5, "how long each figure is measured, over all rounds")
	rounds := flags.Int("rounds", 3, "over how many rounds; figures are medians of them")
	short := flags.Bool("short", false, "a first impression in a minute")
	markdown := flags.String("markdown", "", "write the report to this `file`, too, as Markdown")
	logins := flags.Bool("logins", false, "measure nothing but logins")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seconds <= 0 || *rounds < 1 || flags.NArg() > 0 {
		flags.Usage()
		return errors.New("bad arguments")
	}
	p := plan{
		users: 400, rounds: *rounds, window: time.Duration(*seconds * float64(time.Second) / float64(*rounds)),
		conns: []int{1, 8, mostConns}, launches: 7, rest: 35 * time.Second, postgres: true, loginsOnly: *logins, progress: stderr,
	}
	if *short {
		p.rounds, p.window, p.launches, p.rest = 1, 1200*time.Millisecond, 3, 0
	}
	r, err := p.carryOut(ctx)
	if err != nil {
		return err
	}
	if *markdown != "" {
		if err := os.WriteFile(*markdown, []byte(r.markdown()), 0o644); err != nil {
			return err
		}
	}
	_, err = io.WriteString(stdout, r.text())
	return err
}
