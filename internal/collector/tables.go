package collector

import (
	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// A Table is one that the network fills: anyone can forge what makes its entries.
//
// What holds of each is in its doc comment, and shown by tests that go through this
// list: with the table full, any datagram costs O(its bytes), amortised at worst,
// and live memory is Bytes at most.
type Table struct {
	Name string
	// Part is the part of the memory that it is in: tables of a part share it.
	Part string
	// Bytes is the memory of the full table, 0 where another of the part has it.
	Bytes int64
}

// TableLimits are the limits of all tables.
type TableLimits struct {
	Templates template.Limits
	Pending   producer.HeldLimits
	Exporters int // with entries of their own
	Names     int // exporters with metrics of goflow2's names; 0 for none
	Sockets   int // of all workers
	Workers   int
	Errors    bool // samples of errors are kept
	// OptionNames is the room for names from options data, 0 for none (package names has
	// the tests of it).
	OptionNames int64
}

// What an entry takes, in bytes, as measured.
const (
	domainSlots   = 384      // of a domain, in the store's tables, and of its address and its neighbours there
	samplerBytes  = 128      // of a sampler's rate
	pendingBytes  = 640      // of a data set that waits, without its bytes
	exporterBytes = 1024     // of an exporter, with what workers know about it
	streamBytes   = 400      // of a sequence of numbers
	waitingBytes  = 64 << 20 // of numbers that wait to be understood, and gaps
	recentBytes   = 10 << 20 // of a worker: its table, and what it keeps of the store's
	nameBytes     = 5 << 10  // of an exporter with goflow2's metrics, without sockets
	nameSockets   = 3 << 10  // of such an exporter, for each socket and each worker
	sampledBytes  = 8 << 20  // of samples of errors that wait to be written
)

// Tables lists the tables of a collector.
func Tables(l *TableLimits) []Table {
	tables := []Table{
		{"domains", "templates", int64(l.Templates.Domains) * domainSlots},
		{"templates", "templates", l.Templates.Bytes},
		{"samplers", "samplers", int64(l.Templates.Samplers) * samplerBytes},
		{"pending", "pending", l.Pending.Bytes + int64(l.Pending.Sets)*pendingBytes},
		{"exporters", "exporters", int64(l.Exporters) * exporterBytes},
		{"senders", "exporters", 0},
		{"streams", "sequences", int64(MaxStreams(l.Exporters)) * streamBytes},
		{"gaps", "sequences", waitingBytes},
		{"recent", "recent", int64(l.Workers) * recentBytes},
		{"notices", "recent", 0},
	}
	if l.OptionNames > 0 {
		tables = append(tables, Table{"option names", "option names", l.OptionNames})
	}
	if l.Names > 0 {
		each := nameBytes*int64(l.Workers) + nameSockets*int64(l.Sockets+l.Workers)
		tables = append(tables, Table{"names", "names", int64(l.Names) * each})
	}
	if l.Errors {
		tables = append(tables, Table{"errors", "errors", sampledBytes})
	}
	return tables
}
