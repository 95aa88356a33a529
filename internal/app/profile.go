package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/web"
)

// startProfiles serves profiles where the configuration says so, until the
// function that it returns is called.
func startProfiles(cfg *config.Config, log *slog.Logger) (stop func(), err error) {
	if cfg.Profile.Addr == "" {
		return func() {}, nil
	}
	p, err := web.StartProfiler(cfg.Profile.Addr, cfg.AddrHosts, log)
	if err != nil {
		return nil, err
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			log.Warn("profiles not stopped", "error", err)
		}
	}, nil
}
