package live

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// optionsTemplate announces, for each sampler, a rate; optionsRecord is one.
func optionsTemplate(id uint16) []byte { return words(id, 2, 1, 302, 2, 34, 4) }

func optionsRecord(sampler uint16, rate uint32) []byte {
	return be.AppendUint32(be.AppendUint16(nil, sampler), rate)
}

// stirTemplates moves all that there is to say about templates, of data that waits
// for them and of saved state.
func stirTemplates(t *testing.T, note *moved) {
	host := newHost(t)
	dir := filepath.Join(t.TempDir(), "state")
	must(os.Mkdir(dir, 0o755))
	path := filepath.Join(dir, "templates.json")
	must(os.WriteFile(path, []byte("not of weir"), 0o600))
	w := startWeir(t, host, "-templates.json.path", path, "-templates.ttl", "4s", "-templates.sweep-interval", "1s",
		"-templates.key-port", "auto", "-templates.max-domains", "5", "-templates.pending", "1MiB,5s,3")
	look := func(n int, name string, labels ...string) {
		t.Helper()
		m := w.waitMetric(n, name, labels...)
		w.balance()
		note.compare("templates", metrics{}, m) // some of it is there from the start
	}
	look(1, "state_set_aside_total")
	conn, other := dial(t, host), dial(t, host)

	// Four sets wait, one finds no room; two are released, one expires.
	send(t, conn, ipfix(1, set(256, flowRecord(1))), ipfix(1, set(256, flowRecord(2))), ipfix(1, set(999, flowRecord(3))), ipfix(1, set(998, flowRecord(4))))
	look(3, "sets_held")
	look(1, "sets_held_total", "overflow")
	send(t, conn, ipfix(1, set(setIPFIXTemplate, flowTemplate(256)), set(setIPFIXOptions, optionsTemplate(300)), set(300, optionsRecord(1, 100))))
	look(1, "templates_samplers")
	look(2, "sets_held_total", "released")
	// A new port takes over once the first is silent.
	send(t, dial(t, host), ipfix(1, set(256, flowRecord(5))))
	look(1, "templates_taken_over_total")
	look(1, "sets_held_total", "expired")
	look(1, "state_saves_total", "saved")

	// A field that weir has none for.
	send(t, conn, ipfix(4, set(setIPFIXTemplate, words(256, 2, 1, 4, 30000, 2)), set(256, words(0, 5, 7))))
	look(1, "elements_ignored_total", "unknown")

	// The other port announces something else.
	send(t, conn, ipfix(2, set(setIPFIXTemplate, flowTemplate(256))))
	w.waitMetric(3, "templates_announced_total", "added")
	send(t, other, ipfix(2, set(setIPFIXTemplate, words(256, 2, 1, 4, 32000, 4)), set(256, make([]byte, 8))))
	look(1, "templates_split_total")
	look(1, "elements_ignored_total", "unknown")
	// A name of an interface.
	send(t, conn, ipfix(2, set(setIPFIXOptions, words(301, 2, 1, 10, 4, 82, 4)), set(301, words(0, 3, 0x6765, 0x2d30))))
	look(1, "options_names", "interface")
	look(1, "templates_expired_total")
	for domain := range uint32(20) {
		send(t, conn, ipfix(100+domain, set(setIPFIXTemplate, flowTemplate(256))))
	}
	look(1, "templates_evicted_total", "domains")

	must(os.Rename(dir, dir+".gone")) // at once, though weir writes there
	send(t, conn, ipfix(3, set(setIPFIXTemplate, flowTemplate(256))))
	look(1, "state_saves_total", "failed")
	must(os.Mkdir(dir, 0o755))
	w.waitFor(`state saved again" path=` + path + "\n")
	if n := w.out.count(`state not saved: trying again until it is" path=` + path + " "); n != 1 {
		t.Errorf("%d lines say that state is not saved, want 1", n)
	}
	w.stop()
}

// TestHeld: data that comes before its template is in the output once the
// template came, in its order and with its own receive time, whichever socket the
// template came over.
func TestHeld(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-listen", "flow://:2055/?count=4", "-templates.pending", "4MiB,1m")
	data := dial(t, host)
	const datagrams = 50
	for i := range datagrams {
		send(t, data, ipfix(7, set(256, flowRecord(2*i), flowRecord(2*i+1))))
	}
	w.waitMetric(datagrams, "sets_held")
	m := w.balance()
	if n := m.count("datagrams_held"); n != datagrams || m.count("records_produced_total") != 0 {
		t.Errorf("%d datagrams held, %d records", n, m.count("records_produced_total"))
	}
	began := time.Now()
	// From other ports, which the kernel gives to other sockets.
	for range 8 {
		send(t, dial(t, host), ipfix(7, set(setIPFIXTemplate, flowTemplate(256))))
	}
	w.waitMetric(2*datagrams, "records_sink_total", "acknowledged")
	m = w.settle(datagrams + 8)
	if m.count("datagrams_held") != 0 || m.count("sets_held_bytes") != 0 || m.count("sets_held_total", "released") != datagrams {
		t.Errorf("after the template: %v", seriesOf(m, "sets_held_total"))
	}
	records := readLines(t, w.file)
	if numbers := numbersOf(records); !slices.IsSorted(numbers) {
		t.Errorf("not in their order: %v", numbers)
	}
	eachOnce(t, numbersOf(records), 2*datagrams)
	for _, r := range records {
		if at := time.Unix(0, r.TimeReceivedNs); at.After(began) {
			t.Fatalf("received at %v, after the template was sent at %v", at, began)
		}
	}
	// What waits at the stop has failed.
	send(t, data, ipfix(7, set(400, flowRecord(1))))
	w.waitMetric(1, "sets_held")
	w.stop()
	for _, want := range []string{"datagrams_held=0 ", "datagrams_failed_template_missing=1", "sets_without_template=1 "} {
		if !strings.Contains(w.out.String(), want) {
			t.Errorf("no %q in the last words", want)
		}
	}
}

// TestHeldExpires: data whose template does not come is counted as failed, by
// exporter too.
func TestHeldExpires(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-templates.pending", "1MiB,300ms")
	const datagrams = 20
	for i := range datagrams {
		send(t, dialOn(t, host, "127.0.0."+itoa(1+i%2), "127.0.0.1:2055"), netflow9(1, 1, set(300, flowRecord(i))))
	}
	w.waitMetric(datagrams, "sets_held_total", "expired")
	m := w.settle(datagrams)
	for name, got := range map[string]int{
		"failed":          m.count("datagrams_total", `outcome="failed"`, `reason="template_missing"`),
		"faults":          m.count("decode_faults_total", "template_missing"),
		"by exporter":     m.count("exporter_sets_expired_total"),
		"failed of those": m.count("exporter_datagrams_failed_total"),
		"without":         m.count("sets_without_template_total"),
	} {
		if got != datagrams {
			t.Errorf("%s: %d, want %d", name, got, datagrams)
		}
	}
	if n := m.count("exporter_sets_expired_total", "127.0.0.2"); n != datagrams/2 {
		t.Errorf("%d of one exporter", n)
	}
	w.stop()
}

// TestStateOfSystemd: without a path of its own, state is in the folder that
// systemd gives; and where there is none, nothing is saved.
func TestStateOfSystemd(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	file := filepath.Join(t.TempDir(), "flows.json")
	dir := t.TempDir()
	start := func(env ...string) *weir {
		cmd := weirCommand(host, "-listen", "flow://:2055", "-transport.file", file, "-batch.linger", "20ms")
		cmd.Env = environment(env...)
		return startWeirCommand(t, host, file, cmd)
	}
	w := start()
	w.waitFor("no saved state")
	w.stop()
	w = start("STATE_DIRECTORY=" + dir + ":/other")
	w.waitFor("no saved state yet")
	send(t, dial(t, host), netflow9(1, 1, set(set9Template, flowTemplate(256))))
	w.waitMetric(1, "templates")
	w.stop() // saves what is new
	w = start("STATE_DIRECTORY=" + dir)
	w.waitFor("saved state loaded")
	send(t, dial(t, host), netflow9(1, 1, set(256, flowRecord(0))))
	w.waitMetric(1, "records_sink_total", "acknowledged")
	w.stop()
	if info, err := os.Stat(filepath.Join(dir, "templates.json")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestTemplatesPage: the page has goflow2's form, and what weir adds to it.
func TestTemplatesPage(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host)
	conn := dial(t, host)
	send(t, conn,
		ipfix(7, set(setIPFIXTemplate, flowTemplate(256)), set(setIPFIXOptions, optionsTemplate(257)), set(256, flowRecords(3))),
		netflow9(8, 2, set(set9Template, flowTemplate(256)), set(set9Options, words(258, 4, 4, 1, 4, 34, 4))),
		ipfix(7, set(256, flowRecords(2))))
	w.waitMetric(5, "records_produced_total")
	w.waitMetric(4, "templates")
	status, page, err := w.get("/templates")
	if err != nil || status != 200 {
		t.Fatalf("status %d, %v", status, err)
	}
	type member struct {
		ID              int              `json:"template-id"`
		FieldCount      int              `json:"field-count"`
		ScopeFieldCount int              `json:"scope-field-count"`
		ScopeLength     int              `json:"scope-length"`
		OptionLength    int              `json:"option-length"`
		Fields          []map[string]any `json:"fields"`
		Scopes          []map[string]any `json:"scopes"`
		Options         []map[string]any `json:"options"`
		Version         int              `json:"version"`
		Port            int              `json:"source-port"`
		LastSeen        time.Time        `json:"last-seen"`
		LastUsed        *time.Time       `json:"last-used"`
		Records         int              `json:"records"`
	}
	var all map[string]map[string]member
	if err := json.Unmarshal([]byte(page), &all); err != nil {
		t.Fatalf("%v: %s", err, page)
	}
	// Version, domain and id in one number.
	of := all[conn.LocalAddr().String()]
	if len(of) != 4 || len(all) != 1 {
		t.Fatalf("page: %s", page)
	}
	flows, options, options9 := of["2814749767565568"], of["2814749767565569"], of["2533274790920450"]
	if flows.FieldCount != 3 || flows.Records != 5 || flows.LastUsed == nil || time.Since(flows.LastSeen) > time.Minute || flows.Port == 0 || flows.Fields[2]["length"] != 8.0 {
		t.Errorf("template: %+v", flows)
	}
	if options.FieldCount != 2 || options.ScopeFieldCount != 1 || len(options.Scopes) != 1 || len(options.Options) != 1 || options.LastUsed != nil {
		t.Errorf("options template: %+v", options)
	}
	if options9.ScopeLength != 4 || options9.OptionLength != 4 || options9.Version != 9 {
		t.Errorf("v9 options template: %+v", options9)
	}
	if port := conn.LocalAddr().(*net.UDPAddr).Port; flows.Port != port {
		t.Errorf("source port %d, want %d", flows.Port, port)
	}
	w.stop()
}

// TestMemoryWarning: limits that do not fit into the memory are said at the
// start, in weir check too.
func TestMemoryWarning(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	w := startWeir(t, host, "-memory.max", "100MiB")
	if w.out.count("-memory.max of 100 MiB is less than") != 1 {
		t.Error("not said")
	}
	w.stop()
	_, out, _ := runWeir(t, weirCommand(host, "check", "-memory.max", "100MiB"))
	if !strings.Contains(out, "warn  memory") || !strings.Contains(out, "-memory.max of 100 MiB is less than") {
		t.Errorf("weir check says:\n%s", out)
	}
	// A limit that was not asked for is raised instead.
	w = startWeir(t, host)
	if w.out.count("is less than") != 0 {
		t.Error("the default is complained about")
	}
	w.stop()
}
