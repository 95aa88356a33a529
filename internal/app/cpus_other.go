//go:build !linux

package app

import "errors"

// tryPin fails as the start of a worker does: they are pinned on Linux only.
func tryPin(int) error { return errors.New("set cpu affinity: only on linux") }
