package main

import (
	"context"
	"math/rand/v2"
	"time"
)

// guesser guesses at the password of somebody who is not there, through one outage after another, and notes when a guess was answered. Whatever
// a cut makes the server forget, it must not be an answered guess.
type guesser struct {
	*rand.Rand
	victim *person
	told   []guess
}

// guess is one that was answered, by the clock of the servers.
type guess struct{ begun, ended time.Time }

// newGuesser guesses at the one whom the crowd leaves alone.
func newGuesser(seed uint64) *guesser {
	return &guesser{Rand: rand.New(rand.NewPCG(seed, 0x6e55)), victim: someone(usersOfServers)}
}

// until guesses until the power goes, at random moments, so that the cuts fall before, into and after a guess.
func (g *guesser) until(ctx context.Context, l *lives) {
	for !l.dark.Load() && ctx.Err() == nil {
		one := guess{begun: l.now()}
		a := l.nodes[g.IntN(len(l.nodes))].do(ctx, g.victim, call{kind: login, word: -1})
		if one.ended = l.now(); a.class == no && !l.dark.Load() {
			g.told = append(g.told, one)
		}
		time.Sleep(time.Duration(g.IntN(120)) * time.Millisecond)
	}
}

// judge looks for a guess that was answered although as many as lock had been, within the time of a lock.
func (g *guesser) judge(l *lives) {
	limits := contract()
	for i, first := range g.told[:max(0, len(g.told)-limits.failures)] {
		if next := g.told[i+limits.failures]; next.ended.Sub(first.begun) < limits.lockFor-slack {
			l.users[0].breaks("%d guesses at one password were answered within %v", limits.failures+1, next.ended.Sub(first.begun))
			return
		}
	}
}
