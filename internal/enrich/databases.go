package enrich

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/weirflow/weir/producer/geo"
)

// Config says which databases to read. At least one is named.
type Config struct {
	ASN, Country string // paths; "" is none
	// Every is how often Watch looks at the files; 0 is once a second.
	Every  time.Duration
	Logger *slog.Logger // nil discards
}

// Databases are the files in use. All methods may be called by any goroutine,
// Watch by one.
type Databases struct {
	every  time.Duration
	log    *slog.Logger
	files  []*file
	source geo.Source
}

// file is a database and what became of it.
type file struct {
	kind    Kind
	path    string
	current atomic.Pointer[database]
	reloads atomic.Uint64
	refused atomic.Uint64
	loaded  atomic.Int64 // Unix seconds

	// Of Watch alone.
	pending stamp // seen once, not yet for two looks in a row
	bad     stamp // what was refused, or the zero stamp
	missing bool
}

// A FileError is a database that is no good. It wraps the reason.
type FileError struct {
	Kind Kind
	Path string
	Err  error
}

// Error returns the reason, which names the file.
func (e *FileError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *FileError) Unwrap() error { return e.Err }

// Open reads the databases. The error is a *FileError, of the first that is no
// good.
func Open(cfg Config) (*Databases, error) {
	d := &Databases{every: cfg.Every, log: cfg.Logger}
	if d.every == 0 {
		d.every = time.Second
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, f := range []*file{{kind: ASN, path: cfg.ASN}, {kind: Country, path: cfg.Country}} {
		if f.path == "" {
			continue
		}
		began := time.Now()
		db, err := load(f.path, f.kind)
		if err != nil {
			return nil, &FileError{f.kind, f.path, err}
		}
		f.use(db)
		d.files = append(d.files, f)
		d.log.Info("database read", "kind", f.kind.String(), "path", f.path, "type", db.reader.Metadata.DatabaseType,
			"built", db.built.UTC().Format(time.DateOnly), "records", len(db.values), "took", time.Since(began).Round(time.Millisecond))
	}
	d.source.Find = d.Find
	return d, nil
}

func (f *file) use(db *database) {
	f.current.Store(db)
	f.loaded.Store(time.Now().Unix())
}

// Source returns what the caches ask.
func (d *Databases) Source() *geo.Source { return &d.source }

// Find returns what all databases know about an address, IPv4 never in mapped form,
// and the length of the prefix around it that has the same answer. It does not
// allocate.
func (d *Databases) Find(addr netip.Addr) (geo.Answer, int) {
	var out geo.Answer
	bits := 0
	for _, f := range d.files {
		answer, n := f.current.Load().find(addr)
		bits = max(bits, n)
		if f.kind == ASN {
			out.AS = answer.AS
		} else {
			out.Country = answer.Country
		}
	}
	return out, bits
}

// Status is how a database stands.
type Status struct {
	Kind Kind
	Path string
	// Built is when its maker made the database, Loaded when it was read.
	Built, Loaded time.Time
	// Reloads counts new files that were taken, Refused those that were not.
	Reloads, Refused uint64
}

// Status returns how the databases stand.
func (d *Databases) Status() []Status {
	var all []Status
	for _, f := range d.files {
		all = append(all, Status{
			Kind: f.kind, Path: f.path,
			Built: f.current.Load().built, Loaded: time.Unix(f.loaded.Load(), 0),
			Reloads: f.reloads.Load(), Refused: f.refused.Load(),
		})
	}
	return all
}

// Watch takes new files until ctx is done.
func (d *Databases) Watch(ctx context.Context) {
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, f := range d.files {
			d.look(f)
		}
	}
}

// look takes a file that has changed since it was read and has not changed since
// the last look.
func (d *Databases) look(f *file) {
	s, err := stampOf(f.path)
	if err != nil {
		if !f.missing {
			f.missing = true
			d.log.Warn("cannot look at the database file, still using what was read from it", "kind", f.kind.String(), "error", err)
		}
		return
	}
	f.missing = false
	if s == f.current.Load().stamp || s == f.bad {
		return
	}
	if s != f.pending {
		f.pending = s // somebody may still be writing it
		return
	}
	db, err := load(f.path, f.kind)
	if err != nil {
		f.bad = s
		f.refused.Add(1)
		d.log.Error("new database refused, still using the old one", "kind", f.kind.String(), "error", err)
		return
	}
	f.bad = stamp{}
	f.use(db)
	f.reloads.Add(1)
	d.source.Generation.Add(1) // after the answers have changed
	d.log.Info("new database read", "kind", f.kind.String(), "path", f.path,
		"built", db.built.UTC().Format(time.DateOnly), "records", len(db.values))
}
