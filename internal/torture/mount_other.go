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

func tidy() {}
