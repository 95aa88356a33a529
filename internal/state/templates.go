package state

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strconv"

	"github.com/weirflow/weir/decoders/template"
	"github.com/weirflow/weir/producer"
)

// Templates returns the section of the templates and sampling rates of a store.
func Templates(store *producer.TemplateStore, log *slog.Logger) Section {
	return Section{
		Name:    "templates",
		Save:    func(w io.Writer) error { return saveTemplates(w, store) },
		Load:    func(dec *json.Decoder) error { return loadTemplates(dec, store, log) },
		Changes: store.Changes,
	}
}

// savedDomain is a domain in the file. Times are in Unix nanoseconds.
type savedDomain struct {
	Exporter netip.Addr      `json:"exporter"`
	Version  uint16          `json:"version"`
	Domain   uint32          `json:"domain"`
	Port     uint16          `json:"port"`
	FirstUse int64           `json:"first_use"`
	LastUse  int64           `json:"last_use"`
	Rate     uint64          `json:"rate"`
	BootMs   uint64          `json:"boot_ms"`
	Samplers [][2]uint64     `json:"samplers"`
	Template []savedTemplate `json:"templates"`
}

type savedTemplate struct {
	Record  hexBytes `json:"record"`
	Options bool     `json:"options"`
	Port    uint16   `json:"port"`
	Seen    int64    `json:"seen"`
	Used    int64    `json:"used"`
	Records uint64   `json:"records"`
}

// hexBytes is bytes in hexadecimal digits.
type hexBytes []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(text []byte) error {
	b := make([]byte, hex.DecodedLen(len(text)))
	if _, err := hex.Decode(b, text); err != nil {
		return err
	}
	*h = b
	return nil
}

// saveTemplates writes an array of domains, one a line.
func saveTemplates(w io.Writer, store *producer.TemplateStore) error {
	b := []byte{'['}
	var v template.Saved
	first := true
	var failed error
	store.Each(func(d *producer.TemplateDomain) {
		d.Save(&v)
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendDomain(append(b, '\n'), &v)
		if len(b) >= 16<<10 && failed == nil {
			_, failed = w.Write(b)
			b = b[:0]
		}
	})
	if failed != nil {
		return failed
	}
	_, err := w.Write(append(b, ']'))
	return err
}

// appendDomain appends what savedDomain reads. What is zero is left out.
func appendDomain(b []byte, v *template.Saved) []byte {
	b = append(b, `{"exporter":"`...)
	b = netip.AddrFrom16(v.Key.Exporter).Unmap().AppendTo(b)
	b = append(b, `","version":`...)
	b = strconv.AppendUint(b, uint64(v.Key.Version), 10)
	b = appendNumber(b, "domain", uint64(v.Key.Domain))
	b = appendNumber(b, "port", uint64(v.Key.Port))
	b = appendTime(b, "first_use", v.FirstUseNs)
	b = appendTime(b, "last_use", v.LastUseNs)
	b = appendNumber(b, "rate", v.Rate)
	b = appendNumber(b, "boot_ms", v.BootMs)
	for i, s := range v.Samplers {
		b = append(appendItem(b, "samplers", i), '[')
		b = strconv.AppendUint(b, s.ID, 10)
		b = append(b, ',')
		b = strconv.AppendUint(b, s.Rate, 10)
		b = append(b, ']')
	}
	if len(v.Samplers) > 0 {
		b = append(b, ']')
	}
	for i := range v.Templates {
		t := &v.Templates[i]
		b = append(appendItem(b, "templates", i), `{"record":"`...)
		b = hex.AppendEncode(b, t.Raw)
		b = append(b, '"')
		if t.Options {
			b = append(b, `,"options":true`...)
		}
		b = appendNumber(b, "port", uint64(t.Port))
		b = appendTime(b, "seen", t.SeenNs)
		b = appendTime(b, "used", t.UsedNs)
		b = appendNumber(b, "records", t.Records)
		b = append(b, '}')
	}
	if len(v.Templates) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendItem appends what is before the i-th item of a list.
func appendItem(b []byte, list string, i int) []byte {
	b = append(b, ',')
	if i == 0 {
		b = append(append(append(b, '"'), list...), `":[`...)
	}
	return b
}

func appendNumber(b []byte, name string, n uint64) []byte {
	if n == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendUint(b, n, 10)
}

func appendTime(b []byte, name string, ns int64) []byte {
	if ns == 0 {
		return b
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	return strconv.AppendInt(b, ns, 10)
}

// loadTemplates reads the array of domains.
func loadTemplates(dec *json.Decoder, store *producer.TemplateStore, log *slog.Logger) error {
	if t, err := dec.Token(); err != nil || t != json.Delim('[') {
		return fmt.Errorf("%w: templates are no array", ErrDamaged)
	}
	left := 0
	for dec.More() {
		var d savedDomain
		if err := dec.Decode(&d); err != nil {
			return damaged(err)
		}
		v, err := d.saved()
		if err != nil {
			return damaged(err)
		}
		n, err := store.Restore(v)
		if err != nil {
			return damaged(err)
		}
		left += n
	}
	if left > 0 {
		log.Warn("saved templates left out: there is no room for them (see -templates.max-...)", "templates", left)
	}
	_, err := dec.Token()
	return err
}

func (d *savedDomain) saved() (*template.Saved, error) {
	if !d.Exporter.IsValid() || d.Exporter.Zone() != "" {
		return nil, fmt.Errorf("exporter %q is no address", d.Exporter)
	}
	v := &template.Saved{
		Key:        template.Key{Exporter: d.Exporter.As16(), Domain: d.Domain, Port: d.Port, Version: d.Version},
		FirstUseNs: d.FirstUse, LastUseNs: d.LastUse, Rate: d.Rate, BootMs: d.BootMs,
	}
	for _, s := range d.Samplers {
		v.Samplers = append(v.Samplers, template.SavedSampler{ID: s[0], Rate: s[1]})
	}
	for _, t := range d.Template {
		v.Templates = append(v.Templates, template.SavedTemplate{
			Options: t.Options, Raw: t.Record, Port: t.Port, SeenNs: t.Seen, UsedNs: t.Used, Records: t.Records,
		})
	}
	return v, nil
}
