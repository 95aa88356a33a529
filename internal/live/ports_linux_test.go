package live

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// TestOneAddress has two real exporters watch the same traffic and export it at once
// from one address, in one observation domain, with templates of one id and of
// different fields: each flow is there twice, to the packet and the byte.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	needProgram(t, "softflowd", "softflowd")
	needProgram(t, "pmacctd", "pmacct")
	for _, version := range []struct{ flag, typ string }{{"9", "NETFLOW_V9"}, {"10", "IPFIX"}} {
		t.Run("v"+version.flag, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			w := startWeir(t, l.collector)
			s := startSoftflowd(t, l, "-v", version.flag, "-n", hostPort(collector4, 2055))
			p := startPmacctd(t, l, "plugins: nfprobe", "nfprobe_version: "+version.flag)
			traffic := bothFamilies()
			inject(t, l.outside, "mon0", frames(traffic), l.exporter)
			inject(t, l.outside, "mon0", frames([]conversation{filler}), l.exporter)
			softflowd := s.finish(packets(traffic))
			watched, nudged := packets(traffic)+filler.packets, time.Now()
			nudge := filler // a plugin may wait for the next packet: see TestPmacctd
			nudge.packets = 1
			w.waitPacketsWith(2*packets(traffic), func() {
				if time.Since(nudged) > 2*time.Second {
					inject(t, l.outside, "mon0", frames([]conversation{nudge}), l.exporter)
					watched++
					nudged = time.Now()
				}
			})
			twice, different := w.templatesOfPorts()
			if twice == 0 || different == 0 {
				t.Fatalf("%d template ids are of two ports, %d of them have other fields: nothing to confuse", twice, different)
			}
			p.finish(watched)

			m := w.rest()
			w.stop()
			m.lossless(t)
			if n := m.count("templates_taken_over_total"); n != 0 {
				t.Errorf("%d templates taken over by a port that announced its own", n)
			}
			records := readLines(t, w.file)
			checkCommon(t, records, version.typ, exporter4)
			fill := filler
			fill.packets = filledIn(records)
			if fill.packets < softflowd.packets-packets(traffic) {
				t.Errorf("%d packets of the filler, softflowd exported %d of it", fill.packets, softflowd.packets-packets(traffic))
			}
			want := sent(traffic, 0)
			for k, v := range want {
				want[k] = totals{2 * v.packets, 2 * v.bytes}
			}
			for k, v := range sent([]conversation{fill}, 0) {
				want[k] = v
			}
			sameFlows(t, byFlow(t, records), want)
		})
	}
}

// templatesOfPorts returns how many template ids of a domain are on the page of templates
// for two source ports, and how many of them with other fields.
func (w *weir) templatesOfPorts() (twice, different int) {
	w.t.Helper()
	status, body, err := w.get("/templates")
	if err != nil || status != http.StatusOK {
		w.t.Fatalf("templates: status %d, %v", status, err)
	}
	var page map[string]map[string]struct { // by exporter, with its port, and by version, domain and id
		Fields json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		w.t.Fatalf("templates: %v in %.300s", err, body)
	}
	fields := map[string]string{}
	for _, templates := range page {
		for number, v := range templates {
			if before, ok := fields[number]; ok && v.Fields != nil {
				twice++
				if before != string(v.Fields) {
					different++
				}
			}
			fields[number] = string(v.Fields)
		}
	}
	return twice, different
}

// numberedRecords is an IPFIX message of a template's record with a number.
func numberedRecords(number int) []byte { return ipfix(1, set(256, flowRecord(number))) }

// TestExporterRestarts has an exporter that announces its templates once start again on
// another port while it sends, and weir start again too: each record is decoded, with
// the template of before. A neighbour at its address that goes on sending keeps its own
// template and lends it to nobody.
func TestExporterRestarts(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "flows.json")
	args := []string{"-templates.json.path", filepath.Join(t.TempDir(), "templates.json"), "-templates.pending", "64MiB,60s"}
	w := startWeirTo(t, host, file, args...)
	exporter := dialOn(t, host, "127.0.2.1", "127.0.0.1:2055")
	send(t, exporter, ipfix(1, set(setIPFIXTemplate, flowTemplate(256))))
	number := 0
	more := func(n int) {
		for range n {
			send(t, exporter, numberedRecords(number))
			number++
		}
	}
	more(50)
	w.waitMetric(50, "records_produced_total")
	for port := 1; port <= 2; port++ { // each new one sends at once, and on
		exporter.Close()
		exporter = dialOn(t, host, "127.0.2.1", "127.0.0.1:2055")
		eventually(t, fmt.Sprintf("port %d takes over", port), func() bool {
			more(1)
			return w.scrape().count("templates_taken_over_total") == port
		})
		more(20)
		w.waitMetric(number, "records_produced_total")
	}
	m := w.balance()
	if held, expired := m.count("sets_held_total"), m.count("sets_held_total", "expired"); held == 0 || expired != 0 {
		t.Errorf("%d data sets waited, %d in vain; want some, and none", held, expired)
	}
	// The file has what was taken over: nothing waits after weir's own restart.
	w.waitMetric(1, "state_saves_total", "saved")
	w.stop()
	w = startWeirTo(t, host, file, args...)
	more(10)
	if m := w.settle(10); m.count("records_produced_total") != 10 || m.count("sets_held_total") != 0 {
		t.Errorf("%d records of the first 10 after a restart, %d data sets waited", m.count("records_produced_total"), m.count("sets_held_total"))
	}
	// The exporter starts again while weir is away.
	w.stop()
	exporter.Close()
	exporter = dialOn(t, host, "127.0.2.1", "127.0.0.1:2055")
	w = startWeirTo(t, host, file, args...)
	more(10)
	m = w.waitMetric(10, "records_produced_total")
	if n := m.count("templates_taken_over_total"); n != 1 {
		t.Errorf("%d templates taken over from the file, want 1", n)
	}

	// Another exporter of the address has its data wait while the first one sends.
	other := dialOn(t, host, "127.0.2.1", "127.0.0.1:2055")
	before, began := number, time.Now()
	for i := 0; time.Since(began) < 3*time.Second; i++ {
		more(1)
		send(t, other, ipfix(1, set(256, make([]byte, 16))))
		time.Sleep(20 * time.Millisecond)
		if i%20 == 0 && w.scrape().count("templates_taken_over_total") != 1 {
			t.Fatal("a port took over from one that sends")
		}
	}
	waiting := number - before
	w.waitMetric(waiting, "sets_held")
	// Its own template, of other fields, which is what it is decoded by.
	send(t, other, ipfix(1, set(setIPFIXTemplate, words(256, 3, 12, 4, 8, 4, 85, 8))))
	w.waitMetric(waiting, "sets_held_total", "released")
	m = w.rest()
	w.stop()
	m.lossless(t)
	var numbers []int
	theirs := 0
	for _, r := range readLines(t, file) {
		switch {
		case r.Src == "10.0.0.1" && r.Dst == "10.0.0.2":
			numbers = append(numbers, int(r.Bytes))
		case r.Bytes == 0:
			theirs++
		default:
			t.Fatalf("a record by a neighbour's template: %+v", r)
		}
	}
	eachOnce(t, numbers, number)
	if theirs != waiting {
		t.Errorf("%d records of the neighbour, want %d", theirs, waiting)
	}
}
