package file

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/sink/output"
)

var (
	repairsTotal   = output.NewMetric("output_repairs_total", "Output files that an earlier run had left unfinished. weir cut each after its last whole message, or set it aside.")
	repairedBytes  = output.NewMetric("output_repaired_bytes_total", "Bytes that these repairs cut off or set aside.")
	rotationsTotal = output.NewMetric("output_rotations_total", "How often the output file was rotated.")
	rotatedFiles   = output.NewMetric("output_rotated_files", "Rotated files that are there. 0 without -transport.file.keep.*, since weir does not look then.")
	rotatedBytes   = output.NewMetric("output_rotated_bytes", "Bytes of the rotated files that are there. 0 without -transport.file.keep.*.")
	deletedFiles   = output.NewMetric("output_deleted_files_total", "Rotated files that weir deleted, by the limit of -transport.file.keep.* that they were beyond.", "reason")
	deletedBytes   = output.NewMetric("output_deleted_bytes_total", "Bytes of the rotated files that weir deleted, by limit.", "reason")
	deleteFailures = output.NewMetric("output_delete_failures_total", "Rotated files that could not be deleted, and folders that could not be read for it.")
)

// Kind returns the row of the registry.
func Kind() output.Kind {
	return output.Kind{
		Name: "file", Help: "a file or standard output",
		New:     func() output.Settings { return &Settings{} },
		Metrics: []*output.Metric{repairsTotal, repairedBytes, rotationsTotal, rotatedFiles, rotatedBytes, deletedFiles, deletedBytes, deleteFailures},
	}
}

// Settings are the options -transport.file and those that begin with it.
type Settings struct {
	output.Base
	Path           string        // "" is standard output
	Separator      string        // bytes after every message, escapes already replaced
	RotateSize     int64         // bytes; 0 never rotates by size
	RotateInterval time.Duration // 0 never rotates by time
	Compress       string        // CompressNone or CompressZstd
	Keep           Keep          // which rotated files are deleted
	FIFO           string        // FIFODrop or FIFOWait
}

const (
	optionPath      = "transport.file"
	optionSeparator = "transport.file.sep"
	optionSize      = "transport.file.rotate.size"
	optionInterval  = "transport.file.rotate.interval"
	optionCompress  = "transport.file.compress"
	optionFIFO      = "transport.file.fifo"
)

// DestinationOptions declares the options of where and how to write, without those of
// rotation.
func (s *Settings) DestinationOptions() []option.Option {
	return []option.Option{
		{
			Name: optionPath, Group: option.GroupWrite, Default: "", Shape: "path", Inner: "path",
			Value: option.TextValue(&s.Path),
			Help:  "File to append to. Empty for standard output.",
		},
		{
			Name: optionSeparator, Group: option.GroupWrite, Default: `\n`, Shape: "text",
			Value: option.EscapedValue(&s.Separator),
			Help:  `Text after every message, also after those of -format bin, where it should be empty. \n, \t, \r, \0 and \\ are understood.`,
		},
	}
}

// Options implements [output.Settings].
func (s *Settings) Options() []option.Option {
	return append(append(s.DestinationOptions(), []option.Option{
		{
			Name: optionFIFO, Group: option.GroupWrite, Default: FIFODrop, Shape: "drop|wait",
			Value: option.ChoiceValue(&s.FIFO, option.Choices{Allowed: []string{FIFODrop, FIFOWait}}),
			Help:  "What to do with flows if -transport.file is a FIFO whose reader has closed it: drop and count them until it has a reader, or wait for one. weir always waits for the first reader.",
		},
		{
			Name: optionSize, Group: option.GroupWrite, Default: "0", Shape: "size",
			Value: option.SizeValue(&s.RotateSize, 1<<10, 1<<50, "never"),
			Help:  "Begin a new file before this size is exceeded. 0 never does.",
		},
		{
			Name: optionInterval, Group: option.GroupWrite, Default: "0", Shape: "duration",
			Value: option.DurationValue(&s.RotateInterval, time.Second, 366*24*time.Hour, "never"),
			Help:  "Begin a new file when a period of this length, counted in UTC, is over: 1h at every full hour. 0 never does.",
		},
		{
			Name: optionCompress, Group: option.GroupWrite, Default: CompressNone, Shape: "none|zstd",
			Value: option.ChoiceValue(&s.Compress, option.Choices{
				Allowed: []string{CompressNone, CompressZstd},
				Refused: map[string]string{"gzip": "gzip is not supported; zstd is smaller and faster"},
			}),
			Help: "What to do with rotated files: none leaves them as they are, zstd compresses them.",
		},
	}...), s.keepOptions()...)
}

// Validate implements [output.Settings].
func (s *Settings) Validate(g *output.Given) (faults []output.Fault) {
	if g.Wrong(optionPath) {
		return nil
	}
	onStdout := &option.Problem{Text: "standard output cannot be rotated", Allowed: "this option together with -" + optionPath}
	if s.Path == "" && s.RotateSize != 0 {
		faults = append(faults, output.Fault{Option: optionSize, Err: onStdout})
	}
	if s.Path == "" && s.RotateInterval != 0 {
		faults = append(faults, output.Fault{Option: optionInterval, Err: onStdout})
	}
	rotates := s.RotateSize != 0 || s.RotateInterval != 0
	if s.Compress == CompressZstd && !rotates && !g.Wrong(optionSize) && !g.Wrong(optionInterval) {
		faults = append(faults, output.Fault{Option: optionCompress, Err: &option.Problem{
			Text:    "compression applies to rotated files, and rotation is off",
			Allowed: "zstd together with -" + optionSize + " or -" + optionInterval,
		}})
	}
	return append(faults, s.keepFaults(g, rotates)...)
}

// Holds implements [output.Settings].
func (s *Settings) Holds() []string {
	path, err := filepath.Abs(s.Path)
	if s.Path == "" || err != nil {
		return []string{"file " + s.Path}
	}
	return []string{"file " + path}
}

// Adapts implements [output.Settings].
func (s *Settings) Adapts(name string) bool {
	return strings.HasPrefix(name, "transport.file.rotate.") || strings.HasPrefix(name, "transport.file.keep.") || name == optionCompress
}

// Notes implements [output.Settings].
func (s *Settings) Notes(g *output.Given) []string {
	if !g.Chosen {
		return nil
	}
	notes := s.keepNotes()
	if g.Format == "bin" && s.Separator != "" && g.Source(optionSeparator) == "default" {
		notes = append(notes, `-format bin puts the default separator "\n" after every message, which begins with its length already; set -transport.file.sep "" for a stream without it`)
	}
	return notes
}

// Open implements [output.Settings].
func (s *Settings) Open(format string, log *slog.Logger) (*output.Output, error) {
	lines := format != "bin" && s.Separator == "\n"
	f, err := New(Config{
		Path:            s.Path,
		LineDelimited:   lines,
		LengthDelimited: format == "bin",
		Separator:       s.Separator,
		Mark:            !lines,
		RotateSize:      s.RotateSize,
		RotateInterval:  s.RotateInterval,
		Compress:        s.Compress,
		FIFO:            s.FIFO,
		Keep:            s.Keep,
		Logger:          log,
	})
	if err != nil {
		return nil, err
	}
	return &output.Output{
		Sink: f, Separator: s.Separator, Files: s.Path != "",
		Reconfigure: func(next output.Settings) error {
			s := next.(*Settings)
			return f.Reconfigure(Config{RotateSize: s.RotateSize, RotateInterval: s.RotateInterval, Compress: s.Compress, Keep: s.Keep})
		},
		Collect: func(e output.Emitter, _, _ uint64) {
			r := f.Repairs()
			e.Count(repairsTotal, r.Files)
			e.Count(repairedBytes, r.Bytes)
			f.Kept().collect(e)
		},
	}, nil
}

// Check implements [output.Settings].
func (s *Settings) Check(_ string, r output.Report) {
	path := s.Path
	if path == "" {
		r.OK("output", "standard output")
		return
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		r.Refuse("output", path+" is a directory", "name a file in it")
		return
	case err == nil:
		err = unix.Access(path, unix.W_OK)
	case errors.Is(err, os.ErrNotExist):
		err = unix.Access(filepath.Dir(path), unix.W_OK|unix.X_OK)
		if err == nil {
			path += " (does not exist yet)"
		}
	}
	if err != nil {
		r.Refuse("output", fmt.Sprintf("%s: %v", path, err), unusable(err, path, filepath.Dir(s.Path)))
		return
	}
	free, err := output.FreeSpace(filepath.Dir(s.Path))
	if err != nil {
		r.Warn("output", fmt.Sprintf("%s: free space unknown: %v", path, err), "")
		return
	}
	finding := fmt.Sprintf("%s, %d MiB free", path, free>>20)
	if free < 1<<30 {
		r.Warn("output", finding, "a backbone fills this soon: rotate, and delete old files with -transport.file.keep.*, or give it more space")
	} else {
		r.OK("output", finding)
	}
	s.checkKeep(r)
}

// unusable says what to do about an output that cannot be written to.
func unusable(err error, path, dir string) string {
	switch {
	case errors.Is(err, unix.EROFS):
		return "choose a path on another file system, or mount that of " + dir + " for writing"
	case errors.Is(err, os.ErrNotExist):
		return fmt.Sprintf("make the directory %s, writable for the user that weir runs as", dir)
	}
	return fmt.Sprintf("let the user that weir runs as (now %d) write to %s and search %s", os.Geteuid(), path, dir)
}
