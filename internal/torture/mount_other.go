//go:build !linux

package main

import "errors"

// volume is a file system of its own, which only Linux lets us break.
type volume struct{ dir string }

var errNotHere = errors.New("needs Linux")

func needsLoop() string  { return errNotHere.Error() }
func needsTmpfs() string { return errNotHere.Error() }

func newVolume(string, int64) (*volume, error) { return nil, errNotHere }
func newTmpfs(string, int64) (*volume, error)  { return nil, errNotHere }

func (v *volume) cut() error     { return errNotHere }
func (v *volume) flush() error   { return errNotHere }
func (v *volume) restore() error { return errNotHere }
func (v *volume) remove()        {}

// sickDisk is a file system on which operations fail.
type sickDisk struct {
	dir, under string
	lasting    bool
}

type diskOp string

const (
	diskWrite diskOp = "write"
	diskSync  diskOp = "sync"
)

func needsFuse() string { return errNotHere.Error() }

func newSickDisk(string) (*sickDisk, error) { return nil, errNotHere }

func (d *sickDisk) arm(diskOp, int, string) {}
func (d *sickDisk) disarm()                 {}
func (d *sickDisk) hit() bool               { return false }
func (d *sickDisk) flush()                  {}
func (d *sickDisk) cut() error              { return errNotHere }
func (d *sickDisk) mount() error            { return errNotHere }
func (d *sickDisk) unmount() error          { return errNotHere }
func (d *sickDisk) remove()                 {}

func tidy() {}
