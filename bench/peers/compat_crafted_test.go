package main

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
)

// hexFrames are sampled packets of kinds that captures rarely have.
var hexFrames = func() map[string]string {
	const eth = "02 66 77 88 99 aa 02 11 22 33 44 55 "
	ip4 := func(proto, flags string) string {
		return "45 10 00 80 12 34 " + flags + " 32 " + proto + " 00 00 c0 00 02 01 0a 00 00 01 "
	}
	ip6 := func(next string) string {
		return "6a b1 23 45 00 40 " + next + " 40 " + "20010db8000000000000000000000001 20010db8000000000000000000000002 "
	}
	const tcp = "01 bb 04 00 00 00 00 01 00 00 00 02 80 12 10 00 00 00 00 00 01 01 08 0a 00 00 00 01 00 00 00 02 "
	udp := func(src, dst string) string { return src + " " + dst + " 00 40 ab cd " }
	const payload = "de ad be ef 01 02 03 04 "
	inner := "08 00 " + ip4("11", "00 00") + udp("10 00", "00 35") + payload
	return map[string]string{
		"tcp":          eth + "08 00 " + ip4("06", "40 00") + tcp,
		"udp":          eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "00 35") + payload,
		"icmp":         eth + "08 00 " + ip4("01", "00 00") + "08 00 12 34 56 78 00 01 " + payload,
		"vlan":         eth + "81 00 f1 23 08 00 " + ip4("06", "40 00") + tcp,
		"vlan stack":   eth + "81 00 20 64 81 00 60 c8 86 dd " + ip6("06") + tcp,
		"mpls":         eth + "88 47 00 01 00 ff 00 02 01 40 " + ip4("11", "00 00") + udp("30 39", "00 35") + payload,
		"mpls null":    eth + "88 47 00 00 00 ff " + ip4("11", "00 00") + udp("30 39", "00 35"),
		"ipv6":         eth + "86 dd " + ip6("06") + tcp,
		"icmp6":        eth + "86 dd " + ip6("3a") + "80 00 12 34 56 78 00 01 " + payload,
		"routing":      eth + "86 dd " + ip6("2b") + "06 04 04 01 01 00 00 00 20010db8000000000000000000000003 20010db8000000000000000000000004 " + tcp,
		"fragment":     eth + "86 dd " + ip6("2c") + "11 00 00 01 00 00 12 34 " + udp("30 39", "00 35") + payload,
		"fragment too": eth + "86 dd " + ip6("2c") + "11 00 05 a9 00 00 12 34 " + payload + payload + payload,
		"later v4":     eth + "08 00 " + ip4("11", "20 b9") + payload + payload + payload,
		"hop by hop":   eth + "86 dd " + ip6("00") + "06 00 05 02 00 00 00 00 " + tcp,
		"options":      eth + "08 00 46" + ip4("06", "40 00")[2:] + "94 04 00 00 " + tcp,
		"arp":          eth + "08 06 00 01 08 00 06 04 00 01 02 11 22 33 44 55 c0 00 02 01 00 00 00 00 00 00 c0 00 02 02",
		"gre":          eth + "08 00 " + ip4("2f", "00 00") + "00 00 08 00 " + ip4("06", "40 00") + tcp,
		"gre eth":      eth + "08 00 " + ip4("2f", "00 00") + "00 00 65 58 " + eth + inner,
		"gre key":      eth + "08 00 " + ip4("2f", "00 00") + "20 00 08 00 00 00 00 07 " + ip4("06", "40 00") + tcp,
		"ipip":         eth + "08 00 " + ip4("04", "00 00") + ip4("11", "00 00") + udp("30 39", "00 35") + payload,
		"6in4":         eth + "08 00 " + ip4("29", "00 00") + ip6("3a") + "80 00 12 34 56 78 00 01 ",
		"geneve":       eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "17 c1") + "01 00 65 58 00 12 34 00 11 22 33 44 " + eth + inner,
		"geneve src":   eth + "86 dd " + ip6("11") + udp("17 c1", "30 39") + "00 00 08 00 00 12 34 00 " + inner[6:],
		"teredo":       eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "0d d8") + ip6("11") + udp("10 00", "00 35") + payload,
		"gre in udp":   eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "12 92") + "00 00 08 00 " + inner[6:],
		"eth in udp":   eth + "08 00 " + ip4("11", "00 00") + udp("13 89", "30 39") + eth + inner,
		"mpls in udp":  eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "13 8a") + "00 01 01 ff " + inner[6:],
		"ip in udp":    eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "13 8b") + inner[6:],
		"tag in udp":   eth + "08 00 " + ip4("11", "00 00") + udp("30 39", "13 8c") + "20 64 " + inner,
		"qinq":         eth + "88 a8 00 64 81 00 00 c8 08 00 " + ip4("06", "40 00") + tcp,
		"llc":          eth + "00 26 42 42 03 00 00 00 00 00 80 00 00 02",
		"sctp":         eth + "08 00 " + ip4("84", "00 00") + "0b 59 0b 5a 00 00 00 01 00 00 00 00 " + payload,
	}
}()

// crafted are sFlow datagrams with each of the frames, whole and cut at every
// length. A datagram has one sample.
func crafted() []arrival {
	var all []arrival
	for _, name := range sortedKeys(hexFrames) {
		frame, err := hex.DecodeString(strings.Join(strings.Fields(hexFrames[name]), ""))
		if err != nil {
			panic(name + ": " + err.Error())
		}
		for n := len(frame); n > 0; n -= 1 + n/20 {
			all = append(all, arrival{netip.MustParseAddrPort("192.0.2.9:6343"), receivedNs, sampleOf(frame[:n]), false})
		}
	}
	return append(all, ntpTimes()...)
}

// ntpTimes are IPFIX messages with a template of NTP times, and records of
// fractions that floating point does not hold, and of before 1970.
func ntpTimes() []arrival {
	message := func(sets []byte) arrival {
		b := binary.BigEndian.AppendUint16(nil, 10)
		b = binary.BigEndian.AppendUint16(b, uint16(16+len(sets)))
		return arrival{netip.MustParseAddrPort("192.0.2.10:4739"), receivedNs, append(words(b, 1_790_000_000, 1, 7), sets...), false}
	}
	all := []arrival{message(words(nil, 2<<16|24, 256<<16|4, 156<<16|8, 157<<16|8, 8<<16|4, 12<<16|4))}
	for i := range uint32(40) {
		all = append(all, message(words(nil, 256<<16|28, 3_998_988_800, i*107374183+i, 1_000_000_000*(i&1)+3_998_988_800*(1-i&1), i<<27|i, 0x0a000001, 0x0a000002)))
	}
	return all
}

func words(b []byte, v ...uint32) []byte {
	for _, x := range v {
		b = binary.BigEndian.AppendUint32(b, x)
	}
	return b
}

// sampleOf returns a datagram with one flow sample of a frame, and switch data.
func sampleOf(frame []byte) []byte {
	header := append(words(nil, 1, 1518, 4, uint32(len(frame))), frame...)
	for len(header)%4 != 0 {
		header = append(header, 0)
	}
	records := append(words(nil, 1, uint32(len(header))), header...)
	records = words(records, 1001, 16, 7, 0, 9, 0)
	sample := append(words(nil, 1, 3, 400, 80000, 0, 3, 4, 2), records...)
	return append(words(nil, 5, 1, 0xc0000263, 0, 31, 5000, 1, 1, uint32(len(sample))), sample...)
}
