package cases

import (
	"encoding/binary"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/weirflow/weir/decoders/elements"
)

// encode writes a value as the element's type has it, in the field's length.
func encode(f templateField, s string) ([]byte, error) {
	b, err := value(f, s)
	switch {
	case err != nil:
		return nil, err
	case f.length == variable && len(b) < 255, len(b) == int(f.length):
		return b, nil
	}
	return nil, fmt.Errorf("it has %d bytes, not %d", len(b), f.length)
}

func value(f templateField, s string) ([]byte, error) {
	if text, ok := strings.CutPrefix(s, "x"); ok {
		return unhex([]string{text})
	}
	if text, ok := strings.CutPrefix(s, `"`); ok {
		b := []byte(strings.TrimSuffix(text, `"`))
		for f.length != variable && len(b) < int(f.length) {
			b = append(b, 0)
		}
		return b, nil
	}
	switch f.element.Type {
	case elements.IPv4Address, elements.IPv6Address:
		a, err := netip.ParseAddr(s)
		return a.AsSlice(), err
	case elements.MACAddress:
		return net.ParseMAC(s)
	case elements.Float32, elements.Float64:
		n, err := strconv.ParseFloat(s, 64)
		if f.length == 4 {
			return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(n))), err
		}
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(n)), err
	}
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		return nil, err
	}
	return number(n, int(f.length))
}

// number writes n in so many bytes.
func number(n uint64, length int) ([]byte, error) {
	if length == variable {
		length = 8
	}
	b := make([]byte, length)
	for i := length - 1; i >= 0; i-- {
		b[i] = byte(n)
		n >>= 8
	}
	if n != 0 {
		return nil, fmt.Errorf("it does not fit into %d bytes", length)
	}
	return b, nil
}
