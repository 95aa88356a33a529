package output

import (
	"log/slog"

	"github.com/weirflow/weir/internal/option"
)

// A Kind is a kind of output, one row of the registry.
type Kind struct {
	// Name is the value of -transport that chooses it.
	Name string
	// Help completes the help of -transport: "Name is Help".
	Help string
	// New returns settings that no option has set yet.
	New func() Settings
	// Metrics lists the metrics that [Output.Collect] may emit.
	Metrics []*Metric
}

// Settings are the options of one kind of output, and what follows from their values. One
// goroutine sets them; after that they are read only. Embed [Base] for the methods that an
// output does not need.
type Settings interface {
	// Options declares the options. Their names begin with "transport." and the name of the
	// kind. Each is tied to a variable of these settings.
	Options() []option.Option
	// Secrets reads from the environment, in the form of os.Environ, what has no place on a
	// command line. It is called only if the kind was chosen.
	Secrets(environ []string) []Fault
	// Validate returns what is wrong with options that must fit each other. It is called
	// whether or not the kind was chosen.
	Validate(g *Given) []Fault
	// Notes returns what was accepted and has no effect, or less than it seems.
	Notes(g *Given) []string
	// Open opens the output for messages in a format: "json", "text" or "bin".
	Open(format string, log *slog.Logger) (*Output, error)
	// Check reports what Open would meet, and leaves nothing behind.
	Check(format string, r Report)
	// Holds names what two outputs must not have open at once, such as a file; [Everything]
	// where that is not known. A process that takes over from another waits until that one
	// has closed it.
	Holds() []string
	// Adapts reports whether an open output takes over another value of an option by
	// [Output.Reconfigure]. For any other option it is opened again.
	Adapts(option string) bool
	// Memory returns how many bytes an open output may take in addition to the batches of
	// the workers, each of which has batch bytes.
	Memory(batch int64) int64
}

// Recovering is implemented by settings of outputs that may have much to read when they
// open, such as a log on disk.
type Recovering interface {
	// OnRecovery has Open report how many bytes it has read of how many, last when all are.
	// It is called before Open, if at all.
	OnRecovery(progress func(done, total int64))
}

// A Fault is something wrong with the value of an option.
type Fault struct {
	Option string
	Err    error // an *option.Problem or option.Problems
}

// Given is the rest of the configuration, as far as settings depend on it.
type Given struct {
	// Chosen is true if -transport names this kind.
	Chosen bool
	// Format is the format of the messages.
	Format string
	// Wrong reports whether an option has a fault already.
	Wrong func(option string) bool
	// Source returns where the value of an option comes from: "default", "-format".
	Source func(option string) string
}

// Base is for embedding in [Settings]: an output with no secrets, no options that depend
// on each other, nothing to check and no memory worth counting, for one process at a time.
type Base struct{}

// Secrets implements [Settings].
func (Base) Secrets([]string) []Fault { return nil }

// Validate implements [Settings].
func (Base) Validate(*Given) []Fault { return nil }

// Notes implements [Settings].
func (Base) Notes(*Given) []string { return nil }

// Check implements [Settings].
func (Base) Check(string, Report) {}

// Memory implements [Settings].
func (Base) Memory(int64) int64 { return 0 }

// A Report takes the findings of weir check. what is a word for the subject, such as
// "output"; advice says what to do and may be empty.
type Report interface {
	OK(what, finding string)
	Warn(what, finding, advice string)
	Refuse(what, finding, advice string)
}

// Everything, as what an output holds, is shared with any other that holds something.
const Everything = "everything"

// Holds implements [Settings].
func (Base) Holds() []string { return []string{Everything} }

// Adapts implements [Settings].
func (Base) Adapts(string) bool { return false }
