// Command torture breaks things under the server and proves that what its clients were told stays so.
//
// Clients with a seed each work against the very program, over HTTP, and record what they were told. Then something breaks: a process is
// killed or stopped, the power goes, a disk is full, a database falls silent, a clock jumps. When all is whole again, every history has to
// be one that the rules allow: see world. The same rules, and the same clients, drive the simulation, which runs the domain alone through
// many thousand histories whose store fails here and there.
//
// It owns the faults, the histories and the table in docs/reliability.md. It is a program and not a set of Go tests because it breaks what
// belongs to a machine, and has to say what it could not break there.
package main

import (
	"cmp"
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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "torture: "+err.Error())
		os.Exit(1)
	}
}

// command is the program without the process around it.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("torture", flag.ContinueOnError)
	flags.SetOutput(stderr)
	long := flags.Bool("long", false, "many more rounds of everything, and the long runs: a night")
	all := flags.Bool("all", false, "what this machine does not allow is an error")
	seed := flags.Uint64("seed", 0, "of the first history; 0: by the clock")
	only := flags.String("only", "", "run nothing but these `experiments`, by name, with commas")
	lasts := flags.Duration("for", 0, "how `long` a long run goes on; 0: as long as belongs to one")
	histories := flags.Int("histories", 0, "of the simulation; 0: as many as belong to a run")
	document := flags.String("markdown", "", "write the table into this `file`, too, between its marks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *seed == 0 {
		*seed = uint64(time.Now().Unix())
	}
	chosen, err := choose(*only, *long)
	if err != nil || flags.NArg() > 0 {
		flags.Usage()
		return errors.Join(errors.New("bad arguments"), err)
	}
	tidy()
	e := &env{seed: *seed, long: *long, histories: *histories, lasts: *lasts}
	if e.site, err = newSite(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.site.close()) }()
	rows, err := e.runAll(ctx, chosen, stderr)
	t := table{rows: rows}
	fmt.Fprint(stdout, t.text())
	if err == nil && *document != "" {
		err = t.writeInto(*document)
	}
	if missing := t.missing(); len(missing) > 0 {
		fmt.Fprintf(stderr, "torture: NOT RUN on this machine: %s\n", strings.Join(missing, "; "))
		if *all && err == nil {
			err = fmt.Errorf("%d experiments were not run", len(missing))
		}
	}
	return err
}

// env is what experiments are given.
type env struct {
	site      *site
	seed      uint64
	long      bool
	histories int
	lasts     time.Duration // of a long run; 0: as long as belongs to one
}

// scale is how many rounds belong to a run.
func (e *env) scale(short, long int) int {
	if e.long {
		return long
	}
	return short
}

// experiment breaks one thing.
type experiment struct {
	name  string
	fault string // for the table
	on    string
	ids   string                  // what of the fault matrix it stands for
	needs func() (missing string) // nil: nothing
	run   func(*env, context.Context) (result, error)
}

func experiments() []experiment {
	const killed = "C-01, C-03, C-04, C-07, C-23"
	return []experiment{
		{"simulation", "seeded histories of the domain; the store fails in one call of 25, the clock is set forward and back", "SQLite in memory",
			"C-01 to C-05, C-09, C-14", nil, (*env).simulate},
		{"kill-sqlite", "`kill -9` of the server at a random moment", "SQLite", killed, nil, (*env).killSQLite},
		{"power-sqlite", "power cut: the file system is gone, unsynced pages with it", "SQLite on ext4", "C-01, C-06, C-11",
			needsLoop, (*env).powerLoss},
		{"power-postgres", "power cut of PostgreSQL: the file system is gone, unsynced pages with it", "PostgreSQL on ext4", "C-06, C-11",
			needsLoop, (*env).powerPostgres},
		{"disk-sqlite", "disk full under load, then room again", "SQLite on tmpfs", "C-12", needsTmpfs, (*env).diskFull},
		{"sick-sqlite", "a write or a sync fails, what was not synced is lost with the next power cut", "SQLite on FUSE", "C-13",
			needsFuse, (*env).sickSQLite},
		{"sick-postgres", "a write or a sync of PostgreSQL's log fails", "PostgreSQL on FUSE", "C-13", needsFuse, (*env).sickPostgres},
		{"kill-postgres", "`kill -9` of both nodes at a random moment", "PostgreSQL", killed, nil, (*env).killPostgres},
		{"pause-postgres", "`SIGSTOP` of one of two nodes in the middle of its work, then `SIGCONT`", "PostgreSQL", "C-28, C-35",
			nil, (*env).pausePostgres},
		{"wire-postgres", "connections cut around COMMIT, COMMIT answered by silence, slow, unreachable, black hole, no connection left, " +
			"tables locked", "PostgreSQL, own proxy", "C-03, C-18, C-19", nil, (*env).proxied},
		{"failover", "`kill -9` of the primary, its synchronous standby takes over", "PostgreSQL, two servers", "C-06, C-16",
			nil, (*env).failover},
		{"failover-lagging", "`kill -9` of the primary, a standby takes over that lacks the latest logouts", "PostgreSQL, two and three servers", "C-17",
			nil, (*env).failOverLagging},
		{"skew", "clocks of two nodes 40 s apart", "PostgreSQL", "C-15", nil, (*env).skewed},
		{"clock", "the clock is an hour behind the one of before a restart", "SQLite", "C-14", nil, (*env).clockBack},
		{"memory", "1,000 logins at once in 300 MiB", "SQLite", "C-20", nil, (*env).scarceMemory},
		{"versions", "two versions on one database, the older from before its schema changed", "PostgreSQL", "C-24",
			needsHistory, (*env).twoVersions},
		{"rollback", "the next version has migrated the database, and this one takes over again", "PostgreSQL", "C-24", nil, (*env).rolledBack},
		{"restore", "a backup restored, from before logouts, changes and used tokens; then `countersign restored`", "SQLite", "C-27",
			nil, (*env).restored},
		{"long-sqlite", "hours of work, all that a server survives or not every half a minute, nights between", "SQLite", "C-08, C-22, C-30, C-34",
			nil, (*env).longSQLite},
		{"long-postgres", "hours of work, the same and all that befalls connections every half a minute, nights between",
			"PostgreSQL, own proxy", "C-22, C-34", nil, (*env).longPostgres},
	}
}

// hours reports whether an experiment is part of no run but a long one.
func (x experiment) hours() bool { return strings.HasPrefix(x.name, "long-") }

// choose returns the experiments with the given names, or all that belong to a run.
func choose(names string, long bool) ([]experiment, error) {
	all := experiments()
	if names == "" {
		return slices.DeleteFunc(all, func(x experiment) bool { return x.hours() && !long }), nil
	}
	var chosen []experiment
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(all, func(x experiment) bool { return x.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no experiment %q", name)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// runAll runs experiments, one after the other. It stops at the first that shows something wrong, which its error tells, with the command
// to see it again.
func (e *env) runAll(ctx context.Context, chosen []experiment, progress io.Writer) ([]row, error) {
	var rows []row
	for _, x := range chosen {
		r := row{experiment: x}
		if x.needs != nil {
			r.missing = x.needs()
		}
		if r.missing != "" {
			fmt.Fprintf(progress, "torture: %-16s NOT RUN: %s\n", x.name, r.missing)
			rows = append(rows, r)
			continue
		}
		begun := time.Now()
		var err error
		r.result, err = x.run(e, ctx)
		fmt.Fprintf(progress, "torture: %-16s %4d runs, %6d operations, %d not answered, %.0f s %s\n", x.name, r.runs, r.operations, r.open,
			time.Since(begun).Seconds(), r.note)
		rows = append(rows, r)
		if err == nil && r.broken != "" {
			err = errors.New(r.broken)
		}
		if err != nil {
			return rows, fmt.Errorf("%s: %w\n\nTo see it again: go run ./internal/torture -only %s%s", x.name, err, x.name, e.again(x, r.seed))
		}
	}
	return rows, ctx.Err()
}

// again are the arguments that have an experiment do the same once more, from the part of a seed of its own if it is of many.
func (e *env) again(x experiment, part uint64) string {
	args := fmt.Sprintf(" -seed %d", cmp.Or(part, e.seed))
	if e.long {
		args += " -long"
	}
	if x.hours() && e.lasts > 0 {
		args += fmt.Sprintf(" -for %s", e.lasts)
	}
	return args
}

// simulate runs the simulation.
func (e *env) simulate(ctx context.Context) (result, error) {
	n := e.histories
	if n == 0 {
		n = e.scale(10_000, 200_000)
	}
	s, err := simulation{first: e.seed, histories: n}.run(ctx)
	out := result{runs: s.histories, operations: s.calls, open: s.faults}
	if s.broken != nil {
		out.broken = fmt.Sprintf("history %d (-histories 1 -seed %d): %s", s.seed, s.seed, s.broken.report())
	}
	return out, err
}
