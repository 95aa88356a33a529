package elements

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed elements.txt
var text string

// Element is an information element.
type Element struct {
	PEN        uint32 // enterprise number, 0 for IANA's
	ID         uint16 // above 32767 in NetFlow version 9 alone, with PEN 0
	Name       string
	V9         string // name in NetFlow version 9 where that has another one
	Type       Type
	Semantics  Semantics
	Units      string // "octets", "milliseconds"..., "" for none
	Reversible bool   // RFC 5103: the reverse element has the same meaning
}

// String returns the name, with the vendor's in front if it is not IANA's.
func (e *Element) String() string {
	if e.PEN == IANA {
		return e.Name
	}
	return cmp.Or(Vendor(e.PEN), strconv.FormatUint(uint64(e.PEN), 10)) + ":" + e.Name
}

// index is the table as lookups need it.
type index struct {
	all    []Element
	byName map[string][]int32 // lower-case names, of both kinds
}

var load = sync.OnceValue(func() *index {
	x := &index{byName: map[string][]int32{}}
	x.all = make([]Element, 0, strings.Count(text, "\n"))
	for line := range strings.Lines(text) {
		if e, ok := parse(line); ok {
			x.all = append(x.all, e)
		}
	}
	for i := range x.all {
		e := &x.all[i]
		x.add(e.Name, i)
		if e.V9 != "" {
			x.add(e.V9, i)
		}
	}
	return x
})

func (x *index) add(name string, i int) {
	name = strings.ToLower(name)
	if !slices.Contains(x.byName[name], int32(i)) {
		x.byName[name] = append(x.byName[name], int32(i))
	}
}

// parse reads a line of the table; false for a comment.
func parse(line string) (e Element, ok bool) {
	f := strings.Fields(line)
	if len(f) != 8 || f[0] == "#" {
		return e, false
	}
	pen, err1 := strconv.ParseUint(f[0], 10, 32)
	id, err2 := strconv.ParseUint(f[1], 10, 16)
	kind := slices.Index(typeNames[:], f[3])
	semantics := max(0, slices.Index(semanticsNames[:], f[4]))
	if err1 != nil || err2 != nil || kind < 0 {
		return e, false
	}
	none := func(s string) string {
		if s == "-" {
			return ""
		}
		return strings.ReplaceAll(s, "_", " ")
	}
	e = Element{uint32(pen), uint16(id), f[2], f[7], Type(kind), Semantics(semantics), none(f[5]), f[6] == "r"}
	if e.V9 == "-" {
		e.V9 = ""
	}
	return e, true
}

// All returns all elements, by enterprise and number. The slice must not be
// written to.
func All() []Element { return load().all }

// Lookup returns the element of an enterprise number, 0 for IANA, and an element
// number. The reverse of an element (RFC 5103: PEN 29305, or 6871 and bit 14) has
// that of its other direction with "reverse" in front of the name.
func Lookup(pen uint32, id uint16) (Element, bool) {
	if e := find(pen, id); e != nil {
		return *e, true
	}
	var e *Element
	switch {
	case pen == Reverse:
		e = find(IANA, id)
	case pen == CERT && id&0x4000 != 0:
		e = find(CERT, id&^0x4000)
	}
	if e == nil || !e.Reversible {
		return Element{}, false
	}
	r := *e
	r.PEN, r.ID, r.V9 = pen, id, ""
	r.Name = "reverse" + strings.ToUpper(e.Name[:1]) + e.Name[1:]
	return r, true
}

func find(pen uint32, id uint16) *Element {
	all := load().all
	i, ok := slices.BinarySearchFunc(all, Element{PEN: pen, ID: id}, func(a, b Element) int {
		return cmp.Or(cmp.Compare(a.PEN, b.PEN), cmp.Compare(a.ID, b.ID))
	})
	if !ok {
		return nil
	}
	return &all[i]
}

// ByName returns the elements of a name, whatever its case: "octetDeltaCount", a
// name of NetFlow version 9 ("IN_BYTES"), one with the vendor or enterprise
// number in front ("ntop:L7_PROTO", "6871:initialTCPFlags"), or a reverse one
// ("reverseOctetDeltaCount"). Where IANA has the name, or its reverse, no vendor's
// comes along without the vendor in front. More than one element comes back where several
// vendors use the name.
func ByName(name string) []Element {
	return named(name, func(e *Element) bool { return true })
}

// named is ByName for the elements that fit.
func named(name string, fits func(e *Element) bool) []Element {
	vendor, rest, qualified := strings.Cut(name, ":")
	if !qualified {
		return byName(name, fits)
	}
	number, err := strconv.ParseUint(vendor, 10, 32)
	return byName(rest, func(e *Element) bool {
		if err == nil && uint64(e.PEN) != number || err != nil && !strings.EqualFold(Vendor(e.PEN), vendor) {
			return false
		}
		return fits(e)
	})
}

func byName(name string, use func(e *Element) bool) (found []Element) {
	x := load()
	name = strings.ToLower(name)
	for _, i := range x.byName[name] {
		if e := &x.all[i]; use(e) {
			if e.PEN == IANA {
				return []Element{*e}
			}
			found = append(found, *e)
		}
	}
	if base, ok := strings.CutPrefix(name, "reverse"); ok {
		for _, i := range x.byName[base] {
			e := &x.all[i]
			pen, id := e.PEN, e.ID
			switch pen {
			case IANA:
				pen = Reverse
			case CERT:
				id |= 0x4000
			default:
				continue
			}
			switch r, ok := Lookup(pen, id); {
			case !ok || !use(&r) || strings.ToLower(r.Name) != name:
			case pen == Reverse:
				return []Element{r}
			default:
				found = append(found, r)
			}
		}
	}
	return found
}

// Suggest returns up to three names that are close to one that ByName does not
// know, the closest first: for "did you mean".
func Suggest(name string) []string {
	type near struct {
		name     string
		distance int
	}
	var best []near
	name = strings.ToLower(name)
	limit := max(1, len(name)/4)
	for i := range load().all {
		e := &load().all[i]
		d := distance(name, strings.ToLower(e.Name), limit)
		if len(name) >= 6 && d > 1 && strings.Contains(strings.ToLower(e.Name), name) {
			d = 1
		}
		if d <= limit {
			best = append(best, near{e.String(), d})
		}
	}
	slices.SortStableFunc(best, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var names []string
	for _, n := range best[:min(3, len(best))] {
		names = append(names, n.name)
	}
	return names
}

// distance is the number of letters to insert, remove or replace (Levenshtein),
// or limit+1 if there are more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
			least = min(least, cost)
		}
		if least > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}

// Parse reads how users write an element of IPFIX, or of NetFlow version 9, which
// has no enterprises: a name as for [ByName], or numbers ("8", "6871/14"). The
// error says what is wrong and what comes close.
func Parse(s string, v9 bool) (Element, error) {
	fits := func(e *Element) bool {
		if v9 {
			return e.PEN == IANA
		}
		return e.ID <= 0x7fff
	}
	if pen, id, ok := numbers(s); ok {
		if !fits(&Element{PEN: pen, ID: id}) {
			return Element{}, errors.New("no such number in the protocol")
		}
		if e, known := Lookup(pen, id); known {
			return e, nil
		}
		return Element{PEN: pen, ID: id}, nil
	}
	switch found := named(s, fits); len(found) {
	case 1:
		return found[0], nil
	case 0:
		if near := Suggest(s); near != nil {
			return Element{}, fmt.Errorf("no element has this name; close to it: %s", strings.Join(near, ", "))
		}
		return Element{}, errors.New("no element has this name")
	default:
		var names []string
		for i := range found {
			names = append(names, found[i].String())
		}
		return Element{}, fmt.Errorf("several vendors have the name; one of %s", strings.Join(names, ", "))
	}
}

// numbers reads "id" or "pen/id".
func numbers(s string) (pen uint32, id uint16, ok bool) {
	first, second, two := strings.Cut(s, "/")
	if two {
		n, err := strconv.ParseUint(first, 10, 32)
		if err != nil {
			return 0, 0, false
		}
		pen, first = uint32(n), second
	}
	n, err := strconv.ParseUint(first, 10, 16)
	return pen, uint16(n), err == nil
}
