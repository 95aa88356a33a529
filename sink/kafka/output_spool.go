package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/output"
	"github.com/weirflow/weir/sink/spool"
)

const (
	// stateDir is where the spool is by default.
	stateDir = "/var/lib/weir"
	// spoolFolder is the spool's folder below a state directory.
	spoolFolder = "kafka-spool"
	// noSpool is the value of -spool.dir for no spool.
	noSpool = "none"
)

// SpoolSettings are the options of the log on disk in which batches wait that Kafka does
// not take.
type SpoolSettings struct {
	Dir      string // "" is the default, "none" is none
	MaxBytes int64
	Mode     string // "outage", "always"

	progress func(done, total int64) // of the recovery, nil for none
}

// OnRecovery implements [output.Recovering].
func (k *Settings) OnRecovery(progress func(done, total int64)) { k.Spool.progress = progress }

func (s *SpoolSettings) options() []option.Option {
	return []option.Option{
		{
			Name: "spool.dir", Group: Group, Default: "", Shape: "path", Value: option.TextValue(&s.Dir),
			Help: "Directory for what Kafka does not take, until it does; none is no spool. Empty is kafka-spool in the state directory that systemd gives, else in /var/lib/weir, where that can be used. -transport file has no spool.",
		},
		{
			Name: "spool.max-bytes", Group: Group, Default: "8GiB", Shape: "size",
			Value: option.SizeValue(&s.MaxBytes, 16<<20, 1<<50, ""),
			Help:  "Maximum size of the spool. To make room, weir drops the oldest data and counts it.",
		},
		{
			Name: "spool.mode", Group: Group, Default: "outage", Shape: "outage|always",
			Value: option.ChoiceValue(&s.Mode, option.Choices{Allowed: []string{"outage", "always"}}),
			Help:  "Spool only what Kafka does not take, or write everything to disk before it is offered.",
		},
	}
}

// dir returns where the spool is, and whether the configuration or systemd names it.
// systemd is the value of STATE_DIRECTORY, which may list several.
func (s *SpoolSettings) dir(systemd, fallback string) (dir string, named bool) {
	if s.Dir != "" {
		return s.Dir, true
	}
	if first, _, _ := strings.Cut(systemd, ":"); first != "" {
		return filepath.Join(first, spoolFolder), true
	}
	return filepath.Join(fallback, spoolFolder), false
}

// open opens the spool. A directory that nobody named and that cannot be used is no reason
// not to start: the result is nil then.
func (s *SpoolSettings) open(systemd, fallback string, log *slog.Logger) (*spool.Log, error) {
	const without = "what kafka does not take waits in memory only; set -spool.dir"
	dir, named := s.dir(systemd, fallback)
	if dir == noSpool {
		log.Info("no spool, as configured: " + without)
		return nil, nil
	}
	l, err := spool.Open(spool.Config{Dir: dir, MaxBytes: s.MaxBytes, Progress: s.progress, Logger: log})
	switch {
	case err == nil:
		log.Info("spool is ready", "dir", dir, "max_bytes", s.MaxBytes, "mode", s.Mode)
		return l, nil
	case named && errors.Is(err, spool.ErrLocked):
		return nil, fmt.Errorf("%w: by another weir? Give each its own -spool.dir", err)
	case named:
		return nil, err
	}
	log.Warn("no spool: "+without, "error", err)
	return nil, nil
}

// check reports whether the spool's directory can be used, or made.
func (s *SpoolSettings) check(r output.Report, systemd, fallback string) {
	dir, named := s.dir(systemd, fallback)
	if dir == noSpool {
		r.Warn("spool", "none: what kafka does not take waits in memory only", "set -spool.dir")
		return
	}
	at, err := usable(dir)
	if err != nil {
		text := fmt.Sprintf("%s: %v", dir, err)
		if named {
			r.Refuse("spool", text, "make the directory, writable for the user that weir runs as")
		} else {
			r.Warn("spool", text+": there would be none", "set -spool.dir")
		}
		return
	}
	free, err := output.FreeSpace(at)
	if err != nil {
		r.Warn("spool", fmt.Sprintf("%s: free space unknown: %v", dir, err), "")
		return
	}
	finding := fmt.Sprintf("%s, %d MiB free", dir, free>>20)
	if free < 1<<30 {
		r.Warn("spool", finding, "a long outage of kafka fills this: give it more space")
		return
	}
	r.OK("spool", finding)
}

// usable returns the directory, or the nearest one above it that exists, if this process
// may write there.
func usable(dir string) (string, error) {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return "", errors.New("not a directory")
		}
		if err == nil {
			return dir, unix.Access(dir, unix.W_OK|unix.X_OK)
		}
		up := filepath.Dir(dir)
		if !errors.Is(err, os.ErrNotExist) || up == dir {
			return "", err
		}
		dir = up
	}
}
