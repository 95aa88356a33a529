package live

import (
	"path/filepath"
	"testing"
	"time"
)

// elsewhere are metrics that only tests of their packages can move: it takes
// minutes, or a quarter of a million streams; one that moves for moments
// (TestEveryPage), and those that a start moves (TestTornProtobuf).
var elsewhere = []string{
	"weir_options_names_refused_total",                                       // package names
	"weir_output_delete_failures_total", "weir_error_captures_deleted_total", // packages sink/file, internal/collector
	"weir_output_repair", "weir_xdp_frames_waiting", "weir_exporters_overflow_total", "weir_sequence_streams_evicted_total", `weir_error_samples_total{outcome="dropped"}`}

// numbered9 is a NetFlow v9 message with a sequence number.
func numbered9(number uint32, sets ...[]byte) []byte {
	b := netflow9(9, 1, sets...)
	be.PutUint32(b[12:], number)
	be.PutUint32(b[4:], 100_000+10*number) // uptime
	return b
}

// stirExporters has exporters lose, change places, fall silent and be wrong.
func stirExporters(t *testing.T, note *moved) {
	host := newHost(t)
	w := startWeir(t, host, "-exporters.max", "3", "-exporters.silent-after", "1s", "-samplingrate.default", "7",
		"-sampling", "127.0.0.1@99=1000,127.0.0.2=5", "-errors.sample", filepath.Join(t.TempDir(), "errors"))
	before := w.scrape()
	conn := dialOn(t, host, "127.0.0.1", "127.0.0.1:2055")
	const template = 256
	data := func(number uint32) []byte { return numbered9(number, set(template, flowRecords(1))) }
	// Options: scope system; sampler and its interval.
	sampled := func(number, rate uint32) []byte {
		return numbered9(number, set(set9Options, words(300, 4, 8, 1, 4, 48, 1, 34, 4)),
			set(300, []byte{0, 0, 0, 1, 5, byte(rate >> 24), byte(rate >> 16), byte(rate >> 8), byte(rate), 0, 0, 0}))
	}
	send(t, conn, numbered9(0, set(set9Template, flowTemplate(template), words(257, 3, 8, 4, 48, 1, 1, 8))))
	for n := uint32(1); n < 40; n++ {
		switch n {
		case 15, 16, 27: // lost; 27 comes late
		case 30:
			send(t, conn, data(30), data(27))
		case 34:
			send(t, conn, data(34), data(34))
		default:
			send(t, conn, data(n))
		}
	}
	send(t, conn, sampled(40, 10), sampled(41, 20), data(42),
		numbered9(43, set(257, []byte{1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 9})))
	rated := netflow5(0, 1)
	be.PutUint16(rated[22:], 100)
	send(t, conn, rated)
	late := netflow5(0, 1)
	be.PutUint32(late[8:], uint32(time.Now().Add(-time.Hour).Unix()))
	send(t, dialOn(t, host, "127.0.0.2", "127.0.0.1:2055"), late)
	for n := range uint32(20) { // begins again
		b := data(n)
		be.PutUint32(b[4:], 10*n)
		send(t, conn, b)
	}
	// More sources of samples than are followed.
	for i := uint32(0); i < 5000; i += 50 {
		var list [][]byte
		for j := range uint32(50) {
			list = append(list, sample(2, 1, i+j, 0))
		}
		send(t, conn, sflow5(list...))
		time.Sleep(time.Millisecond)
	}
	for _, from := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5"} {
		send(t, dialOn(t, host, from, "127.0.0.1:2055"), []byte("garbage"))
	}
	w.waitMetric(2, "exporters_silent_changes_total", `change="silent"`)
	w.waitMetric(2, "exporter_lost_total")
	w.waitMetric(1, "exporters_clock_off")
	m := w.scrape()
	note.compare("exporters", before, m)
	send(t, conn, data(20))
	w.waitMetric(1, "exporters_silent_changes_total", `change="returned"`)
	m = w.scrape()
	note.compare("exporters", before, m)
	if n := m.count("exporter_lost_total", `unit="datagrams"`); n != 2 {
		t.Errorf("%d datagrams lost, want 2", n)
	}
	if r, d, s := m.count("exporter_reordered_total"), m.count("exporter_duplicates_total"), m.count("exporter_restarts_total"); r != 1 || d != 1 || s != 1 {
		t.Errorf("%d reordered, %d duplicates, %d restarts, want one each", r, d, s)
	}
	if n, sum := m.count("records_produced_total"), m.count("records_sampling_total"); n != sum {
		t.Errorf("%d records, %d by where their sampling rate came from", n, sum)
	}
	w.stop()

	w = startWeir(t, host, "-errors.sample", "/proc/none")
	before = w.scrape()
	send(t, dial(t, host), []byte("garbage"), netflow5(0, 1))
	w.waitMetric(1, "error_samples_total", `outcome="failed"`)
	note.compare("exporters", before, w.settle(2))
}
