//go:build unix

package file

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/weirflow/weir/internal/option"
	"github.com/weirflow/weir/internal/retain"
	"github.com/weirflow/weir/sink/output"
)

const (
	optionKeepCount = "transport.file.keep.count"
	optionKeepBytes = "transport.file.keep.bytes"
	optionKeepAge   = "transport.file.keep.age"
	optionKeepFree  = "transport.file.keep.free"
)

// keepOptions declares the options that say which rotated files are deleted.
func (s *Settings) keepOptions() []option.Option {
	k := &s.Keep
	return []option.Option{
		{
			Name: optionKeepCount, Group: option.GroupWrite, Default: "0", Shape: "n",
			Value: option.IntValue(&k.Count, 0, 10_000_000),
			Help:  "Rotated files to keep. weir deletes the oldest beyond that. 0 keeps any number.",
		},
		{
			Name: optionKeepBytes, Group: option.GroupWrite, Default: "0", Shape: "size",
			Value: option.SizeValue(&k.Bytes, 1<<10, 1<<60, "any size"),
			Help:  "Bytes of rotated files to keep, compressed ones as they are on disk. weir deletes the oldest beyond that. The file being written comes on top: see -" + optionSize + ". 0 keeps any size.",
		},
		{
			Name: optionKeepAge, Group: option.GroupWrite, Default: "0", Shape: "duration",
			Value: option.DurationValue(&k.Age, time.Minute, 100*366*24*time.Hour, "for good"),
			Help:  "Delete a rotated file this long after its rotation, such as 168h. 0 never does.",
		},
		{
			Name: optionKeepFree, Group: option.GroupWrite, Default: "0", Shape: "size|n%",
			Value: option.SpaceValue(&k.Free, 1<<10, 1<<60, "no limit"),
			Help:  "Free space to keep on the disk, as a size or as a percentage of the disk, such as 10%. weir deletes the oldest rotated files for it, whoever fills the disk. 0 sets no limit.",
		},
	}
}

// keepFaults returns what is wrong with options that must fit those of rotation.
func (s *Settings) keepFaults(g *output.Given, rotates bool) (faults []output.Fault) {
	if g.Wrong(optionSize) || g.Wrong(optionInterval) {
		return nil
	}
	if !rotates {
		for _, o := range s.keepOptions() {
			if o.Value.Get() != o.Default && !g.Wrong(o.Name) {
				faults = append(faults, output.Fault{Option: o.Name, Err: &option.Problem{
					Text:    "only rotated files are deleted, and rotation is off",
					Allowed: "this option together with -" + optionSize + " or -" + optionInterval,
				}})
			}
		}
		return faults
	}
	if s.Keep.Bytes > 0 && s.Keep.Bytes < s.RotateSize && !g.Wrong(optionKeepBytes) {
		faults = append(faults, output.Fault{Option: optionKeepBytes, Err: &option.Problem{
			Text:    "less than one rotated file, which would be deleted at once",
			Allowed: "-" + optionSize + " (" + option.FormatSize(s.RotateSize) + ") or more",
		}})
	}
	return faults
}

// keepNotes returns what limits do not bound.
func (s *Settings) keepNotes() []string {
	if s.Keep.Any() && s.RotateSize == 0 {
		return []string{"-transport.file.keep.* deletes rotated files only, and without -" + optionSize + " nothing bounds the file that is being written"}
	}
	return nil
}

// collect emits the metrics.
func (k Kept) collect(e output.Emitter) {
	e.Count(rotationsTotal, k.Rotations)
	e.Gauge(rotatedFiles, float64(k.Files))
	e.Gauge(rotatedBytes, float64(k.Bytes))
	for r := range k.Deleted {
		e.Count(deletedFiles, k.Deleted[r], retain.Reason(r).String())
		e.Count(deletedBytes, k.DeletedBytes[r], retain.Reason(r).String())
	}
	e.Count(deleteFailures, k.Failures)
}

// checkKeep reports the rotated files that are there, and how many weir would delete.
func (s *Settings) checkKeep(r output.Report) {
	if s.RotateSize == 0 && s.RotateInterval == 0 {
		return
	}
	if !s.Keep.Any() {
		r.OK("retention", "weir deletes no rotated files: -transport.file.keep.* sets limits")
		return
	}
	n, err := namesOf(s.Path)
	if err != nil { // the file does not exist yet
		r.OK("retention", "rotated files: "+s.Keep.String())
		return
	}
	a := &archive{log: slog.New(slog.DiscardHandler), now: time.Now, names: n}
	_, files, err := a.rotated()
	if err != nil {
		r.Warn("retention", fmt.Sprintf("the rotated files cannot be listed: %v", err), "")
		return
	}
	_, missing := a.missing(s.Keep.Free)
	count, freed := 0, int64(0)
	s.Keep.Trim(files, a.now(), missing, func(f retain.File, _ retain.Reason) bool {
		count++
		freed += f.Frees
		return true
	})
	finding := fmt.Sprintf("rotated files: %s; %d there with %d MiB, of which weir would delete %d", s.Keep, len(files), sumOf(files)>>20, count)
	if missing > freed {
		r.Warn("retention", fmt.Sprintf("%s; %d MiB of -%s would still be missing", finding, (missing-freed)>>20, optionKeepFree),
			"free space on the disk, or ask for less: weir would delete every file as soon as it is rotated")
		return
	}
	r.OK("retention", finding)
}
