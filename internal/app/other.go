//go:build !linux

package app

import (
	"errors"

	"github.com/weirflow/weir/internal/config"
)

// captures says that there is no XDP on this system.
func (r *report) captures(cfg *config.Config) {
	for _, name := range cfg.XDP.Interfaces {
		if cfg.XDP.Require {
			r.Refuse("xdp", name+": only on Linux", "leave out -xdp.interface")
		} else {
			r.Warn("xdp", name+": only on Linux", "")
		}
	}
}

// tryPin fails as the start of a worker does: they are pinned on Linux only.
func tryPin(int) error { return errors.New("set cpu affinity: only on linux") }

func detachLeft(string) (string, error) { return "", errors.ErrUnsupported }

var captureCaps, outputCaps []int

// dropPrivileges does nothing: there are no capabilities on this system.
func dropPrivileges([]int) (string, error) { return "", nil }
