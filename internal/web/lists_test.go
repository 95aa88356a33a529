package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"runtime"
	"strconv"
	"testing"
	"time"
	"weak"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/internal/collector"
	"github.com/weirflow/weir/producer"
)

// definition is an IPFIX template of that id and number of fields, an options
// template with one scope field if options is set.
func definition(t *testing.T, version, id uint16, fields int, options bool) *template.Definition {
	t.Helper()
	var b []byte
	put := func(v ...uint16) {
		for _, x := range v {
			b = append(b, byte(x>>8), byte(x))
		}
	}
	switch {
	case !options:
		put(id, uint16(fields))
	case version == template.V9:
		put(id, 4, uint16(4*(fields-1)))
	default:
		put(id, uint16(fields), 1)
	}
	for i := range fields {
		put(uint16(8+i), 4)
	}
	var defs template.Definitions
	defs.Init(b, version, options)
	if more, ok := defs.Next(); !more || !ok {
		t.Fatal(defs.Fault)
	}
	def := defs.Def
	return &def
}

// exporterKey is the key of a domain of exporter i.
func exporterKey(i int, domain uint32) template.Key {
	return template.Key{Exporter: addrOf(i).As16(), Version: template.IPFIX, Domain: domain}
}

func addrOf(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

func announce(t *testing.T, s *producer.TemplateStore, key template.Key, defs ...*template.Definition) *producer.TemplateDomain {
	t.Helper()
	d := s.Domain(&key, 1)
	if d == nil {
		t.Fatal("no room")
	}
	for _, def := range defs {
		d.Put(def, 4739, 1e9+int64(def.ID))
	}
	return d
}

// getPage asks a handler for a page and reads it as JSON.
func getPage[T any](t *testing.T, h http.Handler, target string) (page T) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	if w.Code != 200 {
		t.Fatalf("%s: %d %s", target, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatalf("%s: %v in %.2000s", target, err, w.Body)
	}
	return page
}

// TestTemplateJSON compares the page of one template of each kind with what
// encoding/json makes of the same members.
func TestTemplateJSON(t *testing.T) {
	s := producer.NewStore(template.DefaultLimits())
	key := exporterKey(1, 7)
	announce(t, s, key, definition(t, template.IPFIX, 256, 3, false), definition(t, template.IPFIX, 257, 3, true))
	key.Version = template.V9
	announce(t, s, key, definition(t, template.V9, 258, 3, true))
	s.Find(&key).Used(s.Find(&key).Template(258), 5, 2e9+7)
	field := func(id int) any {
		return map[string]any{"pen-provided": false, "type": id, "length": 4, "pen": 0}
	}
	tail := func(m map[string]any, version, id int) map[string]any {
		m["template-id"], m["version"], m["observation-domain-id"], m["source-port"] = id, version, 7, 4739
		m["last-seen"], m["last-used"], m["records"] = time.Unix(1, int64(id)).UTC(), nil, 0
		return m
	}
	v9 := tail(map[string]any{"scope-length": 4, "option-length": 8, "scopes": []any{field(8)}, "options": []any{field(9), field(10)}}, 9, 258)
	v9["last-used"], v9["records"] = time.Unix(2, 7).UTC(), 5
	number := func(version, id uint64) string { return strconv.FormatUint(version<<48|7<<16|id, 10) }
	text, err := json.Marshal(map[string]any{"10.0.0.1": map[string]any{
		number(10, 256): tail(map[string]any{"field-count": 3, "fields": []any{field(8), field(9), field(10)}}, 10, 256),
		number(10, 257): tail(map[string]any{"field-count": 3, "scope-field-count": 1, "scopes": []any{field(8)}, "options": []any{field(9), field(10)}}, 10, 257),
		number(9, 258):  v9,
	}})
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if got := getPage[any](t, newTemplatesHandler(s), "/templates"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestTemplatePages: whatever the size of the pages, together they are the whole,
// in the same order, also with more domains than a chunk has.
func TestTemplatePages(t *testing.T) {
	s := producer.NewStore(template.DefaultLimits())
	all := 0
	for i := range keyChunk + 100 {
		var defs []*template.Definition
		for j := range 1 + i%3 {
			defs = append(defs, definition(t, template.IPFIX, uint16(256+j), 2, false))
		}
		announce(t, s, exporterKey(i/2, uint32(i%2)), defs...) // two domains an exporter
		all += len(defs)
	}
	h := newTemplatesHandler(s)
	type page = map[string]json.RawMessage
	whole := getPage[page](t, h, "/templates")
	count := func(raw json.RawMessage) int {
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		return len(m)
	}
	n := 0
	for _, raw := range whole {
		n += count(raw)
	}
	if n != all {
		t.Fatalf("%d templates on the whole page, want %d", n, all)
	}
	for _, limit := range []int{all/3 + 7, all - 1, all} {
		got, pages, after := map[string]map[string]json.RawMessage{}, 0, ""
		sum := 0
		for {
			p := getPage[page](t, h, fmt.Sprintf("/templates?limit=%d&after=%s", limit, after))
			pages++
			next := ""
			if raw, ok := p["next"]; ok {
				if err := json.Unmarshal(raw, &next); err != nil {
					t.Fatal(err)
				}
				delete(p, "next")
			}
			onPage := 0
			for name, raw := range p {
				var m map[string]json.RawMessage
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				if got[name] == nil {
					got[name] = map[string]json.RawMessage{}
				}
				for k, v := range m {
					got[name][k] = v
					onPage++
				}
			}
			sum += onPage
			if next != "" && onPage != limit {
				t.Fatalf("limit %d: %d templates on page %d", limit, onPage, pages)
			}
			if next == "" {
				break
			}
			after = next
		}
		if sum != all || pages != (all+limit-1)/limit {
			t.Errorf("limit %d: %d templates on %d pages, want %d", limit, sum, pages, all)
		}
		for name, raw := range whole {
			if len(got[name]) != count(raw) {
				t.Errorf("limit %d: %d templates of %s, want %d", limit, len(got[name]), name, count(raw))
			}
		}
	}
	// An address stands for the end of that exporter.
	rest := getPage[page](t, h, "/templates?after="+addrOf(keyChunk/4).String())
	if len(rest) != len(whole)-keyChunk/4-1 || rest[addrOf(keyChunk/4).String()] != nil {
		t.Errorf("%d exporters after number %d of %d", len(rest), keyChunk/4, len(whole))
	}
}

func TestListParameters(t *testing.T) {
	s := start(t, Config{TemplatesPath: "/templates", Exporters: exportersOf(collector.NewExporters())})
	for path, code := range map[string]int{
		"/templates?limit=0":                    200,
		"/templates?limit=-1":                   400,
		"/templates?limit=x":                    400,
		"/templates?limit=99999999999999999999": 400,
		"/templates?limit=1&limit=2":            400,
		"/templates?after=zz":                   400,
		"/templates?after=00":                   400,
		"/templates?after=192.0.2.1":            200,
		"/templates?exporter=192.0.2.1":         400,
		"/templates?%zz":                        400,
		"/templates/":                           404,
		"/exporters?limit=0":                    200,
		"/exporters?after=":                     200,
		"/exporters?after=x":                    400,
		"/exporters?after=192.0.2.1&limit=1":    200,
		"/exporters?exporter=x":                 400,
		"/exporters?exporter=192.0.2.1":         404,
		"/exporters?evil=%22%3Cscript%3E":       400,
		"/exporters/":                           404,
		"/exporters?limit=1&limit=1":            400,
		"/exporters?exporter=fe80::1%25lo":      400,
	} {
		if got, body := fetch(t, "GET", "http://"+s.Addr().String()+path, ""); got != code {
			t.Errorf("%s: %d, want %d: %s", path, got, code, body)
		}
	}
}

// TestLargestLimit: the largest limit is as good as none.
func TestLargestLimit(t *testing.T) {
	store, table := producer.NewStore(template.DefaultLimits()), collector.NewExporters()
	for i := range 3 {
		announce(t, store, exporterKey(i, 0), definition(t, template.IPFIX, 256, 2, false))
		table.Get(addrOf(i))
	}
	query := "?limit=" + strconv.Itoa(math.MaxInt)
	if all := getPage[map[string]any](t, newTemplatesHandler(store), "/templates"+query); len(all) != 3 {
		t.Errorf("%d exporters with templates, want 3", len(all))
	}
	if page := getPage[exportersJSON](t, newExportersHandler(exportersOf(table), store), "/exporters"+query); len(page.List) != 3 || page.Next != "" {
		t.Errorf("%d exporters, next %q, want 3", len(page.List), page.Next)
	}
}

func exportersOf(table *collector.Exporters) Exporters {
	return Exporters{Table: table, DefaultRate: func() uint64 { return 0 }, LostHere: func() collector.LostHere { return collector.LostHere{} }}
}

type exportersJSON struct {
	Totals map[string]any
	List   []exporterJSON
	Next   string
}

// TestExporterPages does for exporters what TestTemplatePages does for templates.
func TestExporterPages(t *testing.T) {
	table := collector.NewExporters()
	store := producer.NewStore(template.DefaultLimits())
	const all = keyChunk + 50
	for i := range all {
		table.Get(addrOf(i * 7919 % all)) // in another order than that of the addresses
	}
	for domain := range 3 * maxListed {
		d := announce(t, store, exporterKey(5, uint32(domain)), definition(t, template.IPFIX, 256, 2, false))
		d.Sampling().Set(uint64(1000 + domain))
	}
	h := newExportersHandler(exportersOf(table), store)
	whole := getPage[exportersJSON](t, h, "/exporters")
	if len(whole.List) != all || whole.Next != "" {
		t.Fatalf("%d exporters, next %q", len(whole.List), whole.Next)
	}
	for i := range whole.List {
		if whole.List[i].Exporter != addrOf(i).String() {
			t.Fatalf("exporter %d is %s", i, whole.List[i].Exporter)
		}
	}
	with := &whole.List[5]
	if with.Templates != 3*maxListed || len(with.Sampling) != maxListed || with.SamplingLeftOut != 2*maxListed || *with.Sampling[9].Domain != 9 || with.Sampling[9].Rate != 1009 {
		t.Errorf("%d templates, %d rates, %d left out", with.Templates, len(with.Sampling), with.SamplingLeftOut)
	}
	if one := getPage[exportersJSON](t, h, "/exporters?exporter=10.0.0.5"); len(one.List) != 1 || len(one.List[0].Sampling) != 3*maxListed || one.List[0].SamplingLeftOut != 0 {
		t.Errorf("one exporter: %+v", one)
	}
	for _, limit := range []int{all/3 + 7, keyChunk, all - 1, all} {
		n, pages, after := 0, 0, ""
		for {
			p := getPage[exportersJSON](t, h, fmt.Sprintf("/exporters?limit=%d&after=%s", limit, after))
			for i := range p.List {
				if p.List[i].Exporter != addrOf(n).String() {
					t.Fatalf("limit %d: exporter %d is %s", limit, n, p.List[i].Exporter)
				}
				n++
			}
			if pages++; p.Next == "" {
				break
			}
			if len(p.List) != limit {
				t.Fatalf("limit %d: %d on page %d", limit, len(p.List), pages)
			}
			after = p.Next
		}
		if n != all || pages != (all+limit-1)/limit {
			t.Errorf("limit %d: %d exporters on %d pages", limit, n, pages)
		}
	}
}

// TestWalksOfFullTables: at the default limits a page walks each table once for
// keyChunk of its entries, and a small page once.
func TestWalksOfFullTables(t *testing.T) {
	limits := template.DefaultLimits()
	store := producer.NewStore(limits)
	table := collector.NewExporters()
	most := min(limits.Domains, table.TableStats().Max)
	one := definition(t, template.IPFIX, 256, 2, false)
	for i := range most {
		announce(t, store, exporterKey(i, 0), one)
		table.Get(addrOf(i))
	}
	domains, addrs := 0, 0
	each := func(f func(*producer.TemplateDomain)) {
		domains++
		store.Each(f)
	}
	templates, exporters := newTemplatesHandler(store), newExportersHandler(exportersOf(table), store)
	templates.each, exporters.each = each, each
	exporters.addrs = func(after netip.Addr, f func(netip.Addr)) {
		addrs++
		table.After(after, f)
	}
	stored := store.Totals().Domains // a few make room for the bytes of others
	full := most/keyChunk + 1
	for _, c := range []struct {
		handler                http.Handler
		target                 string
		domains, addrs, object int
	}{
		{templates, "/templates", full, 0, stored},
		{templates, "/templates?limit=1", 1, 0, 1},
		{exporters, "/exporters", full, full, most},
		{exporters, "/exporters?limit=1", 1, 1, 1},
		{exporters, "/exporters?exporter=" + addrOf(most/2).String(), 1, 0, 1},
	} {
		domains, addrs = 0, 0
		w := &countWriter{ResponseRecorder: httptest.NewRecorder(), what: []byte("10.")}
		c.handler.ServeHTTP(w, httptest.NewRequest("GET", c.target, nil))
		if domains > c.domains || addrs > c.addrs {
			t.Errorf("%s: %d walks of domains and %d of exporters, want %d and %d", c.target, domains, addrs, c.domains, c.addrs)
		}
		if w.n < c.object {
			t.Errorf("%s: %d exporters, want %d", c.target, w.n, c.object)
		}
	}
}

// countWriter counts a text in what is written, and discards it.
type countWriter struct {
	*httptest.ResponseRecorder
	what []byte
	n    int
}

func (w *countWriter) Write(p []byte) (int, error) {
	w.n += bytes.Count(p, w.what)
	return len(p), nil
}

// TestUnreadListKeepsNothing: while a client does not read its page, the tables let
// go of what is in it.
func TestUnreadListKeepsNothing(t *testing.T) {
	const listed = 4096
	limits := template.DefaultLimits()
	limits.Domains = listed
	store := producer.NewStore(limits)
	table := collector.NewExporterTable(collector.ExportersConfig{Max: listed})
	fill := func(from int) (domains []weak.Pointer[producer.TemplateDomain], exporters []weak.Pointer[collector.Exporter]) {
		for i := range listed {
			domains = append(domains, weak.Make(announce(t, store, exporterKey(from+i, 0), definition(t, template.IPFIX, 256, 40, false))))
			exporters = append(exporters, weak.Make(table.Get(addrOf(from+i))))
		}
		return domains, exporters
	}
	domains, exporters := fill(0)
	mux := http.NewServeMux()
	one, other := newTemplatesHandler(store), newExportersHandler(exportersOf(table), store)
	mux.Handle("/templates", one)
	mux.Handle("/exporters", other)
	addr := serveTest(t, mux)
	templates, list := dialGet(t, addr, "/templates"), dialGet(t, addr, "/exporters")
	for _, c := range []io.Reader{templates, list} {
		if _, err := io.ReadFull(c, make([]byte, 100)); err != nil { // they have begun
			t.Fatal(err)
		}
	}
	fill(1 << 20)
	eventually(t, "what made room is gone", func() bool {
		runtime.GC()
		for _, w := range []*works{one.works, other.works} {
			w.mu.Lock()
			active := len(w.active)
			w.mu.Unlock()
			if active != 1 {
				t.Fatal("a request ended before what it may keep was counted")
			}
		}
		left := 0
		for i := range domains {
			if domains[i].Value() != nil && store.Find(ref(exporterKey(i, 0))) == nil {
				left++
			}
			if exporters[i].Value() != nil && !table.Has(addrOf(i)) {
				left++
			}
		}
		return left <= 8
	})
	if store.Totals().Evicted < listed/4 || table.TableStats().Evicted < listed/4 {
		t.Errorf("%d domains and %d exporters made room: not what was to be tested", store.Totals().Evicted, table.TableStats().Evicted)
	}
	runtime.KeepAlive(templates)
	runtime.KeepAlive(list)
}

func ref[T any](v T) *T { return &v }
