package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/weirflow/weir/decoders/template"
)

// templatesHandler lists all templates as JSON: by exporter, then by a number
// made of version, observation domain and template id, as goflow2 does. Where
// ports are a part of an exporter's identity, it is named with its port.
type templatesHandler struct{ store *template.Store }

type fieldJSON struct {
	PenProvided bool   `json:"pen-provided"`
	Type        uint16 `json:"type"`
	Length      uint16 `json:"length"`
	Pen         uint32 `json:"pen"`
}

// templateJSON has goflow2's members in the order of its kinds of templates,
// and behind them those of weir.
type templateJSON struct {
	ID              uint16      `json:"template-id"`
	FieldCount      *int        `json:"field-count,omitempty"`
	ScopeFieldCount *int        `json:"scope-field-count,omitempty"` // IPFIX
	ScopeLength     *int        `json:"scope-length,omitempty"`      // v9
	OptionLength    *int        `json:"option-length,omitempty"`     // v9
	Fields          []fieldJSON `json:"fields,omitempty"`
	Scopes          []fieldJSON `json:"scopes,omitempty"`
	Options         []fieldJSON `json:"options,omitempty"`

	Version  uint16     `json:"version"`
	Domain   uint32     `json:"observation-domain-id"`
	Port     uint16     `json:"source-port"`
	LastSeen time.Time  `json:"last-seen"`
	LastUsed *time.Time `json:"last-used"` // null for never
	Records  uint64     `json:"records"`
}

// ServeHTTP writes one exporter after the other, so that the page of a large
// network takes no memory of its size.
func (h templatesHandler) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	b := bufio.NewWriter(w)
	// Errors are the client's going away; the writer keeps the first.
	defer b.Flush()
	domains := h.store.Domains()
	b.WriteByte('{')
	for i, exporters := 0, 0; i < len(domains); {
		name := exporterName(domains[i])
		templates := 0
		for ; i < len(domains) && exporterName(domains[i]) == name; i++ {
			key := domains[i].Key()
			for _, t := range domains[i].Templates() {
				if templates == 0 {
					if exporters > 0 {
						b.WriteByte(',')
					}
					exporters++
					fmt.Fprintf(b, "\n  %q: {", name)
				} else {
					b.WriteByte(',')
				}
				templates++
				number := uint64(t.Version)<<48 | uint64(key.Domain)<<16 | uint64(t.ID)
				text, err := json.MarshalIndent(newTemplateJSON(&key, t), "    ", "  ")
				if err != nil {
					return // cannot be
				}
				b.WriteString("\n    \"" + strconv.FormatUint(number, 10) + "\": ")
				if _, err := b.Write(text); err != nil {
					return
				}
			}
		}
		if templates > 0 {
			b.WriteString("\n  }")
		}
	}
	b.WriteString("\n}\n")
}

// exporterName is an exporter's address, with its port where that counts.
func exporterName(d *template.Domain) string {
	key := d.Key()
	addr := netip.AddrFrom16(key.Exporter).Unmap()
	if key.Port != 0 {
		return netip.AddrPortFrom(addr, key.Port).String()
	}
	return addr.String()
}

func newTemplateJSON(key *template.Key, t *template.Template) templateJSON {
	out := templateJSON{
		ID:       t.ID,
		Version:  t.Version,
		Domain:   key.Domain,
		Port:     t.Port(),
		LastSeen: time.Unix(0, t.LastSeenNs()).UTC(),
		Records:  t.Records(),
	}
	if ns := t.LastUsedNs(); ns != 0 {
		used := time.Unix(0, ns).UTC()
		out.LastUsed = &used
	}
	for _, f := range t.Fields {
		field := fieldJSON{PenProvided: f.PEN != 0, Type: f.ID, Length: f.Length, Pen: f.PEN}
		switch {
		case !t.Options:
			out.Fields = append(out.Fields, field)
		case f.Scope:
			out.Scopes = append(out.Scopes, field)
		default:
			out.Options = append(out.Options, field)
		}
	}
	fields, scopes := len(t.Fields), len(out.Scopes)
	scopeLength, optionLength := 4*scopes, 4*(fields-scopes)
	switch {
	case !t.Options:
		out.FieldCount = &fields
	case t.Version == template.V9:
		out.ScopeLength, out.OptionLength = &scopeLength, &optionLength
	default:
		out.FieldCount, out.ScopeFieldCount = &fields, &scopes
	}
	return out
}
