package app

import (
	"bytes"
	"errors"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/mapping"
	"github.com/weirflow/weir/producer"
)

// loadPrograms makes the program that the options ask for. What is wrong is a
// *config.UsageError.
func loadPrograms(m *config.Mapping, e *config.Enrich) (*producer.Programs, []string, error) {
	p, notes, err := loadProgram(m, e)
	if err != nil {
		return nil, nil, err
	}
	return producer.NewPrograms(p), notes, nil
}

func loadProgram(m *config.Mapping, e *config.Enrich) (*producer.Program, []string, error) {
	return mapping.Load(m.File, producer.Settings{Hash: m.Hash, Compat: m.Compat == "goflow2", Enriched: *e != config.Enrich{}})
}

// prepareMapping reads the mapping file again and logs what is wrong. commit puts it
// into force.
func (c *collection) prepareMapping() (commit func(), err error) {
	if c.cfg.Mapping.File == "" {
		return func() {}, nil
	}
	p, notes, err := loadProgram(&c.cfg.Mapping, &c.cfg.Enrich)
	if err != nil {
		var usage *config.UsageError
		if errors.As(err, &usage) {
			for _, f := range usage.Faults {
				c.log.Error("mapping not reloaded, going on with the old one", "error", f.Error())
			}
		} else {
			c.log.Error("mapping not reloaded, going on with the old one", "error", err)
		}
		return nil, err
	}
	return func() {
		for _, n := range notes {
			c.log.Warn(n)
		}
		c.programs.Set(p)
		c.log.Info("mapping reloaded", "file", c.cfg.Mapping.File)
	}, nil
}

// mapping compiles the mapping file.
func (r *report) mapping(cfg *config.Config) {
	if cfg.Mapping.File == "" && len(cfg.Mapping.Hash) == 0 {
		return
	}
	_, notes, err := loadPrograms(&cfg.Mapping, &cfg.Enrich)
	if err != nil {
		for _, line := range bytes.Split([]byte(err.Error()), []byte("\n")) {
			r.refuse("mapping", string(line), "")
		}
		return
	}
	for _, n := range notes {
		r.warn("mapping", n, "")
	}
	if cfg.Mapping.File != "" {
		r.ok("mapping", cfg.Mapping.File+" compiles")
	}
}
