package bpf

import "testing"

// BenchmarkProgram is the program's time for one frame, as the kernel takes it
// while it runs the frame again and again; the driver and the socket are not in it.
func BenchmarkProgram(b *testing.B) {
	full := Config{
		Workers: 4, Frags: true, RatePPS: 4_000_000_000,
		Allow: prefixes("192.0.2.0/24", "192.0.0.0/8", "2001:db8::/32", "2001:db8::/48"), Deny: prefixes("192.0.2.128/25"),
	}
	full1 := full
	full1.RatePPS = 1
	bound := []Listen{{Addr: collector4, Port: anyPort}, {Addr: collector6, Port: anyPort}}
	for _, c := range []struct {
		name    string
		cfg     Config
		listens []Listen
		sockets bool
		frame   []byte
	}{
		{"hit/IPv4", Config{}, listens(), true, v4(datagram{payload: 1400})},
		{"hit/IPv6", Config{}, listens(), true, v6(datagram{payload: 1400})},
		{"hit/IPv4-QinQ", Config{}, listens(), true, v4(datagram{payload: 1400, tags: []uint16{0x88a8, 0x8100}})},
		{"hit/IPv4-bound", Config{}, bound, true, v4(datagram{payload: 1400})},
		{"hit/IPv4-rules", Config{Allow: full.Allow, Deny: full.Deny}, listens(), true, v4(datagram{payload: 1400})},
		{"hit/IPv4-rules-rate-frags", full, listens(), true, v4(datagram{payload: 1400})},
		{"hit/IPv6-rules-rate-frags", full, listens(), true, v6(datagram{payload: 1400})},
		{"miss/other-port", Config{}, listens(), true, v4(datagram{payload: 1400, port: otherPort})},
		{"miss/TCP", Config{}, listens(), true, v4(datagram{payload: 1400, protocol: 6})},
		{"miss/ARP", Config{}, listens(), true, v4(datagram{edit: put16(-2, 0x0806)})},
		{"miss/no-socket", Config{}, listens(), false, v4(datagram{payload: 1400})},
		{"drop/denied", full, listens(), true, v4(datagram{payload: 1400, src: other4})},
		{"drop/rate", full1, listens(), true, v4(datagram{payload: 1400})},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.cfg.Host = host
			p := load(b, c.cfg, c.listens)
			if c.sockets {
				fillSlots(b, p)
			}
			_, perRun, err := p.XDP().Benchmark(c.frame, b.N, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(perRun.Nanoseconds()), "ns/op")
		})
	}
}
