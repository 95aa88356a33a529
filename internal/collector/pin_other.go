//go:build !linux

package collector

import "errors"

func pinThread(int) error { return errors.New("set cpu affinity: only on linux") }
