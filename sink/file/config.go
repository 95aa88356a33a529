package file

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Values of [Config.Compress].
const (
	CompressNone = "none"
	CompressZstd = "zstd"
)

// Config says where and how to write.
type Config struct {
	// Path of the output; empty for standard output. The file is made, with
	// mode 0644 less the umask, if it is not there; its directory must be. A
	// FIFO that nobody reads is waited for at the first write.
	Path string

	// LineDelimited says that every message ends with '\n' and holds no
	// other. When the file is opened, a last line without its end, which is
	// what a crash in the middle of a write leaves, is cut off.
	LineDelimited bool

	// LengthDelimited says that every message has its length in front, as a
	// varint, and Separator after it. What follows the last whole message when the
	// file is opened goes to another file, NAME.torn-TIME. It implies Mark. Without a
	// valid mark, weir reads the whole file. It renames a file that is larger than
	// 1 GiB or is not valid to NAME.unfinished-TIME.
	LengthDelimited bool
	Separator       string

	// Mark keeps the offset at which the last whole batch ends in a file
	// .NAME.end next to the output, so that a start after a crash need not read the
	// output to find it. A file that is neither of lines nor of lengths is cut
	// there; what comes after goes to NAME.torn-TIME.
	Mark bool

	// RotateSize is the number of bytes that the file does not exceed: it is
	// rotated before the message that would take it over, in the middle of a
	// batch if need be. A message that is larger alone gets a file to itself.
	// What the file holds when it is opened counts. 0 turns this off.
	RotateSize int64

	// RotateInterval cuts time, in UTC from the Unix epoch, into periods of
	// this length, at least a second; a file that holds data of an earlier
	// period is rotated within about a second. 0 turns this off.
	RotateInterval time.Duration

	// Compress says what becomes of rotated files: CompressNone (or empty)
	// leaves them, CompressZstd replaces each by a .zst.
	Compress string

	// Keep says which rotated files are deleted.
	Keep Keep

	// FIFO says what happens when the reader of a FIFO has closed it: FIFODrop (or empty)
	// makes Write fail with ErrNoReader until the FIFO has a reader, FIFOWait makes it
	// wait for one.
	FIFO string

	// Logger for rotation and compression; nil discards.
	Logger *slog.Logger

	now func() time.Time // for tests; nil is time.Now
}

// What happens without a reader of the FIFO.
const (
	FIFODrop = "drop"
	FIFOWait = "wait"
)

// Care says what becomes of rotated files.
type Care struct {
	Compress string
	Keep     Keep
}

func (c *Config) care() Care { return Care{c.Compress, c.Keep} }

func (c *Config) rotates() bool { return c.RotateSize > 0 || c.RotateInterval > 0 }

// Validate returns all faults of the configuration that can be seen without
// opening the output.
func (c *Config) Validate() error {
	var errs []error
	if c.RotateSize < 0 {
		errs = append(errs, fmt.Errorf("rotate size %d is negative", c.RotateSize))
	}
	if c.RotateInterval != 0 && c.RotateInterval < time.Second {
		errs = append(errs, fmt.Errorf("rotate interval %v is under a second", c.RotateInterval))
	}
	if c.rotates() && c.Path == "" {
		errs = append(errs, errors.New("standard output cannot be rotated"))
	}
	switch c.Compress {
	case "", CompressNone:
	case CompressZstd:
		if !c.rotates() {
			errs = append(errs, errors.New("compress applies to rotated files, and rotation is off"))
		}
	default:
		errs = append(errs, fmt.Errorf("compress %q is neither %q nor %q", c.Compress, CompressNone, CompressZstd))
	}
	if c.Keep.Any() && !c.rotates() {
		errs = append(errs, errors.New("keep applies to rotated files, and rotation is off"))
	}
	return errors.Join(errs...)
}
