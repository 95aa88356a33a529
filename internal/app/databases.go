package app

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

// openDatabases opens the databases that are named, nil for none. prefix is what
// the names of their options begin with.
func openDatabases(cfg *config.Enrich, prefix string, log *slog.Logger) (*enrich.Databases, error) {
	if cfg.ASN == "" && cfg.Country == "" {
		return nil, nil
	}
	d, err := enrich.Open(enrich.Config{ASN: cfg.ASN, Country: cfg.Country, Logger: log})
	var bad *enrich.FileError
	if errors.As(err, &bad) {
		allowed := "a MaxMind database (mmdb) of AS numbers"
		if bad.Kind == enrich.Country {
			allowed = "a MaxMind database (mmdb) of countries"
		}
		return nil, &config.UsageError{Faults: []config.Fault{{
			Name: "-" + prefix + bad.Kind.String(), Value: strconv.Quote(bad.Path), Problem: bad.Error(), Allowed: allowed,
		}}}
	}
	return d, err
}

// withGeo gives a producer a cache of its own before the databases, if there are
// any.
func (c *collection) withGeo(cfg producer.Config) producer.Config {
	if c.enrich != nil {
		cfg.Geo = geo.NewCache(c.enrich.Source())
	}
	return cfg
}

// watchDatabases has new databases taken until the function that it returns is
// called.
func (c *collection) watchDatabases() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	if c.enrich != nil {
		go c.enrich.Watch(ctx)
	}
	return cancel
}

// databases checks that the databases can be read.
func (r *report) databases(cfg *config.Config) {
	for _, e := range []config.Enrich{{ASN: cfg.Enrich.ASN}, {Country: cfg.Enrich.Country}} {
		d, err := openDatabases(&e, "enrich.", nil)
		switch {
		case err != nil:
			r.Refuse("enrich", err.Error(), "")
		case d != nil:
			for _, s := range d.Status() {
				r.OK("enrich", s.Path+": built "+s.Built.UTC().Format("2006-01-02"))
			}
		}
	}
}
