package app

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/option"
)

// state checks that state could be saved.
func (r *report) state(cfg *config.Config) {
	path := statePath(cfg)
	if path == "" {
		r.OK("state", "not saved: exporters have to announce their templates after a restart (-templates.json.path)")
		return
	}
	dir := filepath.Dir(path)
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		r.Warn("state", fmt.Sprintf("%s cannot be saved: %s: %v", path, dir, err), "make the directory, writable for the user that weir runs as")
		return
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r.OK("state", path+" (to be made)")
	case err != nil:
		r.Warn("state", err.Error(), "")
	case !info.Mode().IsRegular():
		r.Warn("state", path+" is no file", "name a file")
	default:
		r.OK("state", fmt.Sprintf("%s, %d KiB", path, info.Size()>>10))
	}
}

// memory compares what tables and batches may take with the limit.
func (r *report) memory(cfg *config.Config) {
	workers := 0
	for _, l := range cfg.Listen {
		workers += l.Count
	}
	if len(cfg.XDP.Interfaces) > 0 {
		if workers = cfg.XDP.Workers; workers == 0 {
			workers = runtime.NumCPU()
		}
	}
	caps := memoryCaps(cfg, workers)
	if finding := memoryFinding(cfg, caps); finding != "" {
		r.Warn("memory", finding, "")
		return
	}
	total, limit := sumOf(caps), "no limit"
	switch {
	case cfg.MemoryMax >= total:
		limit = option.FormatSize(cfg.MemoryMax)
	case cfg.MemoryMax > 0:
		limit = "raised to as much"
	}
	r.OK("memory", fmt.Sprintf("tables, batches and the garbage collector may take %d MiB; -memory.max: %s", total>>20, limit))
}
