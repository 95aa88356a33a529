//go:build !linux

package app

import "github.com/weirflow/weir/internal/config"

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
