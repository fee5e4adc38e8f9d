package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"countersign/internal/passhash"
)

// kernel is a build of our Argon2id that this machine can run, against x/crypto around it.
type kernel struct {
	name   string
	hasher *passhash.Hasher
	hash   *limit
	ratios []float64
}

// compareKernels measures every kernel of this machine, and x/crypto before and after each, which most Go programs hash with.
func (b *bench) compareKernels() (err error) {
	b.common = &limit{name: "Argon2id of x/crypto, the same costs, 2 goroutines", window: b.window / 2, measure: commonHash}
	defer func() {
		for _, k := range b.kernels {
			err = errors.Join(err, k.hasher.Close())
		}
	}()
	for _, name := range passhash.Kernels() {
		h, err := passhash.New(passhash.Config{Slots: hashers, Kernel: name})
		if err != nil {
			return err
		}
		b.kernels = append(b.kernels, &kernel{name: name, hasher: h, hash: &limit{name: name, window: b.window / 2,
			measure: func(d time.Duration) (pace, error) { return rawHash(h, b.encoded, d) }}})
	}
	before, err := b.common.again()
	if err != nil {
		return err
	}
	for range b.rounds {
		for _, k := range b.kernels {
			if err := b.ctx.Err(); err != nil {
				return err
			}
			rate, err := k.hash.again()
			if err != nil {
				return err
			}
			after, err := b.common.again()
			if err != nil {
				return err
			}
			k.ratios = append(k.ratios, rate/((before+after)/2))
			before = after
			b.note("Argon2id, kernel %s: %.1f/s, %.2f times x/crypto", k.name, rate, k.ratios[len(k.ratios)-1])
		}
	}
	return nil
}

func (r *results) kernelTable() table {
	t := table{title: "Argon2id of this build against golang.org/x/crypto, 2 goroutines", words: 1,
		head: []string{"kernel", "per s", "times x/crypto", "least", "most", "by CPU"}}
	for _, k := range r.kernels {
		byCPU := "–"
		if own, common := k.hash.each(), r.common.each(); own > 0 && common > 0 {
			byCPU = fmt.Sprintf("%.2f", common.Seconds()/own.Seconds())
		}
		t.add(k.name, rate(median(k.hash.rates)), fmt.Sprintf("%.2f", median(k.ratios)), fmt.Sprintf("%.2f", slices.Min(k.ratios)),
			fmt.Sprintf("%.2f", slices.Max(k.ratios)), byCPU)
	}
	return t
}
