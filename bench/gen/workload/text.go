package workload

import (
	"encoding/binary"
	"strconv"
	"strings"
)

var applicationNames = [8]string{"https", "http", "dns", "quic", "ssh", "smtp", "ntp", "sip"}

func applicationName(f *Flow) string { return applicationNames[f.ID%uint32(len(applicationNames))] }

// pad returns s with zeros after it to n bytes.
func pad(s string, n int) string { return s + strings.Repeat("\x00", n-len(s)) }

// text returns the value of a field of variable length, at most maxString
// bytes.
func text(f *Flow, spec *field) string {
	if spec.pen == penExample {
		return strings.Repeat("\xa5\x5a", int(f.ID%9))
	}
	switch spec.id {
	case 82: // interfaceName
		return "ge-0/0/" + strconv.Itoa(int(f.InIf))
	case 83: // interfaceDescription, of some interfaces
		if f.InIf%4 == 0 {
			return ""
		}
		return "to customer " + strconv.Itoa(int(f.SrcAS))
	case 371: // userName
		return "user" + strconv.Itoa(int(f.ID%100))
	case 460: // httpRequestHost
		return "www" + strconv.Itoa(int(f.ID%10)) + ".example.net"
	case 461: // httpRequestTarget
		return "/" + strings.Repeat("long/", int(f.ID%(maxString/5)))
	}
	return applicationName(f) // 96
}

// appendVariable appends a field of variable length (RFC 7011 section 7). The
// form with three bytes of length is for values from 255 bytes; some exporters
// use it for shorter ones, as field 371 does here.
func (g *Generator) appendVariable(b []byte, f *Flow, spec *field) []byte {
	if spec.pen == 0 && spec.id == 315 {
		b = append(b, frameLen)
		return appendFrame(b, f, frameLen)
	}
	s := text(f, spec)
	if len(s) >= 255 || spec.pen == 0 && spec.id == 371 {
		b = append(b, 255)
		b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	} else {
		b = append(b, byte(len(s)))
	}
	return append(b, s...)
}
