package human

import (
	"strings"
	"testing"
	"time"

	"github.com/weirflow/weir/producer"
	"github.com/weirflow/weir/producer/geo"
)

func country(s string) geo.Country {
	c, _ := geo.ParseCountry([]byte(s))
	return c
}

// TestLines: lines for people, as they are read.
func TestLines(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	at := uint64(time.Date(2026, 12, 1, 9, 31, 2, 345e6, time.UTC).UnixNano())
	four, six := []byte{203, 0, 113, 1}, []byte{0x20, 1, 0xd, 0xb8, 15: 1}
	for _, c := range []struct {
		flow producer.Flow
		want string
	}{
		{
			producer.Flow{TimeFlowEndNs: at, SamplerAddress: []byte{192, 0, 2, 1}, InIf: 3, OutIf: 4, Proto: 6, SrcAddr: four, DstAddr: []byte{198, 51, 100, 7},
				SrcPort: 443, DstPort: 51234, TCPFlags: 0x1b, Packets: 12, Bytes: 14500, SrcAS: 64496, DstAS: 64497, SrcCountry: country("DE")},
			"09:31:02.345 192.0.2.1       3>4     TCP   203.0.113.1:443       > 198.51.100.7:51234    ...AP.SF    12 pkt  14.5 kB AS64496>AS64497 DE>-",
		},
		{
			producer.Flow{TimeReceivedNs: at, SamplerAddress: []byte{192, 0, 2, 1}, Proto: 17, SrcAddr: six, DstAddr: six, SrcPort: 53, DstPort: 5353, SamplingRate: 1000, Packets: 12, Bytes: 1500},
			"09:31:02.345 192.0.2.1       0>0     UDP   [2001:db8::1]:53      > [2001:db8::1]:5353             12.0 kpkt  1.50 MB",
		},
		{
			producer.Flow{TimeFlowEndNs: at, Proto: 1, SrcAddr: four, DstAddr: four, DstPort: 769, Packets: 1, Bytes: 84},
			"09:31:02.345 -               0>0     ICMP  203.0.113.1           > 203.0.113.1                        1 pkt     84 B",
		},
		{producer.Flow{TimeReceivedNs: at}, "09:31:02.345 -               0>0     HOPOPT -                     > -                                  0 pkt      0 B"},
	} {
		if got := string(Append([]byte("x"), &c.flow, false)); got != "x"+c.want {
			t.Errorf("got  %s\nwant x%s", got, c.want)
		}
		colored := string(Append(nil, &c.flow, true))
		plain := strings.NewReplacer(dim, "", bold, "", reset, "").Replace(colored)
		if plain = strings.TrimRight(plain, " "); plain != c.want || !strings.Contains(colored, bold) {
			t.Errorf("with colors\ngot  %s\nwant %s", plain, c.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 ", 999: "999 ", 1000: "1.00 k", 1499: "1.50 k", 9994: "9.99 k", 9996: "10.0 k", 99_949: "99.9 k", 99_960: "100 k", 999_400: "999 k",
		999_600: "1.00 M", 12_345_678: "12.3 M", 1 << 40: "1.10 T", 1<<64 - 1: "18.4 E",
	} {
		if got := string(appendNumber(nil, n, 1, 1000)); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := string(appendNumber(nil, 1<<63, 1<<63, 1000)); !strings.HasSuffix(got, " E") {
		t.Errorf("the largest: %q", got)
	}
}

// TestAllocs: a line costs no memory.
func TestAllocs(t *testing.T) {
	f := producer.Flow{TimeFlowEndNs: 1, SrcAddr: []byte{1, 2, 3, 4}, DstAddr: make([]byte, 16), Proto: 6, Bytes: 1e9, Packets: 3, SrcAS: 1, SrcCountry: country("DE")}
	b := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { b = Append(b[:0], &f, true) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
