package enrich

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/weirflow/weir/producer/geo"
)

// Kind is what a database is asked for.
type Kind uint8

// Kinds.
const (
	ASN     Kind = iota // autonomous_system_number
	Country             // country.iso_code
)

// String returns the kind's name, as it appears in logs and metrics.
func (k Kind) String() string { return [...]string{"asn", "country"}[k] }

// maxFile is the size that a database may have; it is held in memory.
const maxFile = 4 << 30

// ErrNothing says that a database holds nothing of the kind that it was opened
// for, as when the two are mixed up.
var ErrNothing = errors.New("no record has it")

// database is a file as it was read. It is immutable.
type database struct {
	stamp  stamp
	reader *maxminddb.Reader
	// values holds what is of use of each record, by its offset.
	values map[uintptr]geo.Answer
	built  time.Time
}

// stamp tells whether a file has changed.
type stamp struct {
	size     int64
	modified time.Time
	inode    uint64
}

// load reads a database and all of its records.
func load(path string, kind Kind) (*database, error) {
	// The stamp is taken first: what changes while it is read is read again.
	s, err := stampOf(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if s.size > maxFile {
		return nil, fmt.Errorf("open database %q: %d bytes are more than the %d that are held in memory", path, s.size, int64(maxFile))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d := &database{stamp: s, values: map[uintptr]geo.Answer{}}
	if d.reader, err = maxminddb.OpenBytes(text); err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	d.built = d.reader.Metadata.BuildTime()
	useful := false
	for res := range d.reader.Networks() {
		if err := res.Err(); err != nil {
			return nil, fmt.Errorf("read database %q: %w", path, err)
		}
		if _, known := d.values[res.Offset()]; known {
			continue
		}
		v, err := value(&res, kind)
		if err != nil {
			return nil, fmt.Errorf("read database %q at %s: %w", path, res.Prefix(), err)
		}
		d.values[res.Offset()] = v
		useful = useful || v != geo.Answer{}
	}
	if !useful {
		return nil, fmt.Errorf("read database %q, whose type is %q: %s: %w", path, d.reader.Metadata.DatabaseType, kind.field(), ErrNothing)
	}
	return d, nil
}

// field names what a kind reads of a record.
func (k Kind) field() string {
	if k == ASN {
		return "autonomous_system_number"
	}
	return "country.iso_code"
}

// find returns what is known about an address, and the length of the prefix that
// has the same answer.
func (d *database) find(addr netip.Addr) (geo.Answer, int) {
	res := d.reader.Lookup(addr)
	prefix := res.Prefix()
	bits := prefix.Bits()
	if addr.Is4() && !prefix.Addr().Is4() || bits < 0 {
		bits = 0 // the database has no IPv4, or no IPv6
	}
	if !res.Found() {
		return geo.Answer{}, bits
	}
	return d.values[res.Offset()], bits
}

// value takes what a kind reads out of a record.
func value(res *maxminddb.Result, kind Kind) (geo.Answer, error) {
	var out geo.Answer
	if kind == ASN {
		err := res.DecodePath(&out.AS, "autonomous_system_number")
		return out, err
	}
	var code string
	err := res.DecodePath(&code, "country", "iso_code")
	out.Country, _ = geo.ParseCountry([]byte(code))
	return out, err
}
