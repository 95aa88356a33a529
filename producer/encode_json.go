package producer

import (
	"net/netip"
	"strconv"
)

// AppendJSON appends f as one JSON object without a line end: all fields that goflow2
// has, also the empty ones, and the extra ones that have a value, compact, in the order and the notation that goflow2's
// consumers read. Addresses are strings, "" where there is none; prefixes are
// masked from the addresses.
func AppendJSON(dst []byte, f *Flow) []byte { return appendExtraJSON(appendCoreJSON(dst, f), f) }

// appendExtraJSON puts the extra fields that have a value into the object that b
// ends with.
func appendExtraJSON(b []byte, f *Flow) []byte {
	if !f.anyExtra() {
		return b
	}
	return append(appendExtraColumns(b[:len(b)-1], f, notationJSON), '}')
}

func jsonUint(b []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(b, key...), v, 10)
}

func jsonUints(b []byte, key string, v []uint32) []byte {
	b = append(b, key...)
	for i, x := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(x), 10)
	}
	return append(b, ']')
}

func jsonLayers(b []byte, key string, v []uint32) []byte {
	b = append(b, key...)
	for i, l := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonName(b, "", layerName(l))
	}
	return append(b, ']')
}

func jsonAddrs(b []byte, key string, v [][]byte) []byte {
	b = append(b, key...)
	for i, ip := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonAddr(b, "", ip)
	}
	return append(b, ']')
}

// jsonFlat appends addresses of 16 bytes that stand one after the other.
func jsonFlat(b []byte, key string, v []byte) []byte {
	b = append(b, key...)
	for ; len(v) >= 16; v = v[16:] {
		b = jsonAddr(b, "", v[:16])
		if len(v) >= 32 {
			b = append(b, ',')
		}
	}
	return append(b, ']')
}

// jsonName appends a name of our own tables, which needs no escapes.
func jsonName(b []byte, key, name string) []byte {
	b = append(append(b, key...), '"')
	b = append(b, name...)
	return append(b, '"')
}

func jsonAddr(b []byte, key string, addr []byte) []byte {
	b = append(append(b, key...), '"')
	if ip, ok := netip.AddrFromSlice(addr); ok {
		b = ip.AppendTo(b)
	}
	return append(b, '"')
}

func jsonNet(b []byte, key string, addr []byte, bits uint32) []byte {
	b = append(append(b, key...), '"')
	if ip, ok := netip.AddrFromSlice(addr); ok && bits <= 128 {
		if p, err := ip.Prefix(int(bits)); err == nil {
			b = p.AppendTo(b)
		}
	}
	return append(b, '"')
}

func jsonMAC(b []byte, key string, mac uint64) []byte {
	const hex = "0123456789abcdef"
	b = append(append(b, key...), '"')
	for shift := 40; shift >= 0; shift -= 8 {
		c := byte(mac >> shift)
		b = append(b, hex[c>>4], hex[c&15])
		if shift > 0 {
			b = append(b, ':')
		}
	}
	return append(b, '"')
}
