package enrich_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weirflow/weir/internal/enrich"
	"github.com/weirflow/weir/internal/mmdbtest"
	"github.com/weirflow/weir/producer/geo"
)

func writeASN(t testing.TB, path string, networks map[string]uint32) {
	t.Helper()
	if err := mmdbtest.WriteASN(path, networks); err != nil {
		t.Fatal(err)
	}
}

func databases(t testing.TB) (asn, country string) {
	dir := t.TempDir()
	asn, country = filepath.Join(dir, "asn.mmdb"), filepath.Join(dir, "country.mmdb")
	writeASN(t, asn, map[string]uint32{
		"192.0.2.0/24": 64500, "198.51.100.0/25": 64501, "198.51.100.128/25": 64502,
		"2001:db8::/32": 64503, "2001:db8:5::/48": 64504, "2001:db8:6::1/128": 4200000000,
	})
	if err := mmdbtest.WriteCountry(country, map[string]string{
		"192.0.0.0/16": "DE", "198.51.100.192/26": "FR", "2001:db8::/33": "JP",
	}); err != nil {
		t.Fatal(err)
	}
	return asn, country
}

func TestFind(t *testing.T) {
	asn, country := databases(t)
	d, err := enrich.Open(enrich.Config{ASN: asn, Country: country})
	if err != nil {
		t.Fatal(err)
	}
	cache := geo.NewCache(d.Source())
	for _, c := range []struct {
		addr    string
		as      uint32
		country string
	}{
		{"192.0.2.7", 64500, "DE"},
		{"192.0.3.7", 0, "DE"},
		{"198.51.100.1", 64501, ""},
		{"198.51.100.129", 64502, ""},
		{"198.51.100.200", 64502, "FR"},
		{"203.0.113.1", 0, ""},
		{"2001:db8::1", 64503, "JP"},
		{"2001:db8:5:1::1", 64504, "JP"},
		{"2001:db8:6::1", 4200000000, "JP"},
		{"2001:db8:6::2", 64503, "JP"},
		{"2001:db8:8000::1", 64503, ""},
		{"::ffff:192.0.2.9", 64500, "DE"},
		{"::1", 0, ""},
	} {
		addr := netip.MustParseAddr(c.addr)
		got := cache.Find(addr.AsSlice())
		if got.AS != c.as || got.Country.String() != c.country {
			t.Errorf("%s: AS %d, country %q; want %d, %q", c.addr, got.AS, got.Country, c.as, c.country)
		}
		// The prefix that an answer is said to hold for has no other answers.
		_, bits := d.Find(addr.Unmap())
		if bits > addr.Unmap().BitLen() {
			t.Errorf("%s: prefix of %d bits", c.addr, bits)
		}
	}
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8:6::2"), netip.MustParseAddr("203.0.113.1")}
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range addrs {
			d.Find(a)
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d look-ups", n, len(addrs))
	}
}

func TestOpenRefuses(t *testing.T) {
	asn, country := databases(t)
	text, err := os.ReadFile(asn)
	if err != nil {
		t.Fatal(err)
	}
	cut := filepath.Join(t.TempDir(), "cut.mmdb")
	if err := os.WriteFile(cut, text[:len(text)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.mmdb")
	bad := bytes.Clone(text)
	at := bytes.Index(bad, []byte("autonomous_system_number"))
	bad[at-1] = 0xff // the size of the key
	if err := os.WriteFile(damaged, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		cfg  enrich.Config
		want string
	}{
		{"missing", enrich.Config{ASN: asn + ".no"}, "no such file"},
		{"directory", enrich.Config{ASN: filepath.Dir(asn)}, "is a directory"},
		{"mixed up", enrich.Config{ASN: country}, "autonomous_system_number: no record has it"},
		{"mixed up too", enrich.Config{ASN: asn, Country: asn}, "country.iso_code: no record has it"},
		{"cut", enrich.Config{ASN: cut}, "cut.mmdb"},
		{"damaged", enrich.Config{ASN: damaged}, "damaged.mmdb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := enrich.Open(c.cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
			if strings.HasPrefix(c.name, "mixed") && !errors.Is(err, enrich.ErrNothing) {
				t.Errorf("%v is not ErrNothing", err)
			}
		})
	}
}

// log is a writer for a logger that tests can look into.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), s)
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain for " + what)
		}
	}
}

func TestReload(t *testing.T) {
	asn, _ := databases(t)
	out := &log{}
	d, err := enrich.Open(enrich.Config{ASN: asn, Every: 5 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Watch(ctx); close(done) }()
	defer func() { cancel(); <-done }()

	cache := geo.NewCache(d.Source())
	find := func() uint32 { cache.Begin(); return cache.Find([]byte{192, 0, 2, 1}).AS }
	if got := find(); got != 64500 {
		t.Fatalf("AS %d", got)
	}
	writeASN(t, asn, map[string]uint32{"192.0.2.0/24": 64999})
	eventually(t, "the new database", func() bool { return find() == 64999 })

	if err := os.WriteFile(asn, []byte("no database"), 0o600); err != nil { // in place
		t.Fatal(err)
	}
	eventually(t, "the refusal", func() bool { return d.Status()[0].Refused == 1 })
	if got := find(); got != 64999 {
		t.Errorf("AS %d after a bad file, want the old one's", got)
	}
	if !out.has("still using the old one") {
		t.Error("the log does not say that the new file was refused")
	}
	if err := os.Remove(asn); err != nil {
		t.Fatal(err)
	}
	eventually(t, "word of the missing file", func() bool { return out.has("cannot look at the database file") })
	if got := find(); got != 64999 {
		t.Errorf("AS %d without a file, want the old one's", got)
	}
	writeASN(t, asn, map[string]uint32{"192.0.2.0/24": 65000})
	eventually(t, "the third database", func() bool { return find() == 65000 })
	if s := d.Status()[0]; s.Reloads != 2 || s.Refused != 1 {
		t.Errorf("status %+v", s)
	}
}
