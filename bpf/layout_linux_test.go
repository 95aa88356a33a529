package bpf

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// The types in C and in Go have the same members at the same places.
func TestLayout(t *testing.T) {
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	for name, goType := range map[string]reflect.Type{
		"listen_key": reflect.TypeFor[listenKey](),
		"rule4_key":  reflect.TypeFor[rule4Key](),
		"rule6_key":  reflect.TypeFor[rule6Key](),
		"rate_key":   reflect.TypeFor[rateKey](),
		"rate":       reflect.TypeFor[rateValue](),
		"countdown":  reflect.TypeFor[countdown](),
	} {
		var c *btf.Struct
		if err := spec.Types.TypeByName(name, &c); err != nil {
			t.Errorf("struct %s: %v", name, err)
			continue
		}
		if c.Size != uint32(goType.Size()) {
			t.Errorf("struct %s has %d bytes in C, %d in Go", name, c.Size, goType.Size())
		}
		var fields []reflect.StructField
		for i := range goType.NumField() {
			if f := goType.Field(i); f.Name != "_" {
				fields = append(fields, f)
			}
		}
		if len(fields) != len(c.Members) {
			t.Errorf("struct %s has %d members in C, %d in Go", name, len(c.Members), len(fields))
			continue
		}
		for i, m := range c.Members {
			f := fields[i]
			size, err := btf.Sizeof(m.Type)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ToLower(f.Name) != m.Name || uintptr(m.Offset.Bytes()) != f.Offset || uintptr(size) != f.Type.Size() {
				t.Errorf("struct %s: %s at %d with %d bytes in C, %s at %d with %d bytes in Go",
					name, m.Name, m.Offset.Bytes(), size, f.Name, f.Offset, f.Type.Size())
			}
		}
	}
}

func TestMapTypes(t *testing.T) {
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	size := func(v any) uint32 { return uint32(reflect.TypeOf(v).Size()) }
	want := map[string]struct {
		typ        ebpf.MapType
		key, value uint32
	}{
		weirMapVerdicts: {ebpf.PerCPUArray, size(Redirect), 8},
		weirMapListens:  {ebpf.Hash, size(listenKey{}), 4},
		weirMapRules4:   {ebpf.LPMTrie, size(rule4Key{}), size(ruleAllow)},
		weirMapRules6:   {ebpf.LPMTrie, size(rule6Key{}), size(ruleAllow)},
		weirMapRates:    {ebpf.LRUHash, size(rateKey{}), size(rateValue{})},
		weirMapXsks:     {ebpf.XSKMap, 4, 4},
		weirMapBells:    {ebpf.ArrayOfMaps, 4, 4},

		weirMapCountdowns: {ebpf.Array, 4, size(countdown{})},
		".bss":            {ebpf.Array, 4, size(portTable{})}, // the variable weirVarPorts
	}
	for name, w := range want {
		m := spec.Maps[name]
		if m.Type != w.typ || m.KeySize != w.key || m.ValueSize != w.value {
			t.Errorf("map %s: %v with key of %d, value of %d bytes, want %v, %d, %d", name, m.Type, m.KeySize, m.ValueSize, w.typ, w.key, w.value)
		}
	}
	if n := spec.Maps[weirMapVerdicts].MaxEntries; n != NumVerdicts {
		t.Errorf("the map has %d verdicts, want %d", n, NumVerdicts)
	}
	if n := len(spec.Variables); n != 11 {
		t.Errorf("the program has %d variables, 11 are set", n)
	}
	for name, v := range spec.Variables {
		if v.Constant() == (name == weirVarPorts) {
			t.Errorf("%s: constant is %v", name, v.Constant())
		}
	}
}

// The verdicts in C are those in Go, by number and name.
func TestVerdictNumbers(t *testing.T) {
	spec, err := loadWeir()
	if err != nil {
		t.Fatal(err)
	}
	var enum *btf.Enum
	if err := spec.Types.TypeByName("verdict", &enum); err != nil {
		if errors.Is(err, btf.ErrNotFound) {
			t.Fatal("enum verdict is not in the object")
		}
		t.Fatal(err)
	}
	if len(enum.Values) != NumVerdicts+1 {
		t.Errorf("%d values in C, want %d and their number", len(enum.Values), NumVerdicts)
	}
	for _, v := range enum.Values {
		want := "NUM_VERDICTS"
		if v.Value < NumVerdicts {
			want = "VERDICT_" + strings.ToUpper(Verdict(v.Value).String())
		}
		if v.Name != want {
			t.Errorf("value %d is %s in C, %s in Go", v.Value, v.Name, want)
		}
	}
}
