package workload

// Ids of the templates that all exporters of v9 and IPFIX send.
const (
	idV9        = 256
	idV9Options = 257

	idIPFIX4       = 256
	idIPFIX6       = 257
	idIPFIXOptions = 258

	idVariants = 300 // and up: those of the mix
)

// all returns fields with these ids and lengths, in turn.
func all(idLengths ...uint16) []field {
	var list []field
	for i := 0; i < len(idLengths); i += 2 {
		list = append(list, field{id: idLengths[i], length: idLengths[i+1]})
	}
	return list
}

// v9Template has 21 fields in 59 bytes.
var v9Template = tmpl{id: idV9, fields: all(
	8, 4, 12, 4, 15, 4, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2,
	6, 1, 4, 1, 5, 1, 16, 4, 17, 4, 9, 1, 13, 1, 61, 1, 48, 4, 89, 1)}

// ipfixTemplate4 has 18 fields, ipfixTemplate6 has 19.
var (
	ipfixTemplate4 = tmpl{id: idIPFIX4, fields: all(
		8, 4, 12, 4, 15, 4, 10, 4, 14, 4, 2, 4, 1, 8, 7, 2, 11, 2, 4, 1, 5, 1,
		6, 2, 16, 4, 17, 4, 9, 1, 13, 1, 156, 8, 157, 8)}
	ipfixTemplate6 = tmpl{id: idIPFIX6, v6: true, fields: all(
		27, 16, 28, 16, 62, 16, 10, 4, 14, 4, 2, 4, 1, 8, 7, 2, 11, 2, 4, 1, 5, 1,
		6, 2, 16, 4, 17, 4, 29, 1, 30, 1, 31, 4, 156, 8, 157, 8)}
)

// The templates of the mix. All have bytes (1).
var (
	v9Variants = variants([]tmpl{
		// IPv6.
		{v6: true, fields: all(27, 16, 28, 16, 62, 16, 10, 4, 14, 4, 2, 4, 1, 4, 22, 4, 21, 4, 7, 2, 11, 2, 4, 1, 5, 1, 6, 1, 29, 1, 30, 1, 31, 3)},
		// Layer 2.
		{fields: all(56, 6, 80, 6, 58, 2, 59, 2, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 10, 4, 14, 4, 1, 4, 2, 4, 21, 4, 22, 4)},
		// MPLS.
		{fields: all(70, 3, 71, 3, 72, 3, 46, 1, 47, 4, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 10, 4, 14, 4, 1, 8, 2, 8, 21, 4, 22, 4)},
		// NAT.
		{fields: all(8, 4, 225, 4, 12, 4, 226, 4, 7, 2, 227, 2, 11, 2, 228, 2, 4, 1, 230, 1, 323, 8, 1, 4, 2, 4)},
		// A firewall.
		{fields: all(148, 4, 8, 4, 7, 2, 10, 2, 12, 4, 11, 2, 14, 2, 4, 1, 233, 1, 33002, 2, 323, 8, 152, 8, 231, 4, 232, 4, 1, 4, 2, 4)},
		// As short as it gets.
		{fields: all(8, 4, 12, 4, 1, 4, 2, 4)},
		// 64-bit counters, 16-bit AS numbers and interfaces.
		{fields: all(8, 4, 12, 4, 1, 8, 2, 8, 10, 2, 14, 2, 16, 2, 17, 2, 18, 4, 7, 2, 11, 2, 4, 1, 21, 4, 22, 4)},
		// Applications, in the numbers of two vendors.
		{fields: all(95, 4, 94, 32, 56701, 16, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 6, 1, 1, 8, 2, 8, 21, 4, 22, 4)},
		// ICMP, forwarding status of four bytes, IP version.
		{fields: all(60, 1, 61, 1, 32, 2, 8, 4, 12, 4, 4, 1, 5, 1, 52, 1, 54, 2, 89, 4, 1, 4, 2, 4, 22, 4, 21, 4)},
		// Integers of odd lengths, absolute times, the sampling rate in the record.
		{fields: all(8, 4, 12, 4, 1, 5, 2, 3, 10, 3, 14, 3, 16, 3, 17, 3, 7, 2, 11, 2, 4, 2, 34, 4, 152, 8, 153, 8)},
	})

	ipfixVariants = variants([]tmpl{
		// Milliseconds, application name.
		{fields: all(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 96, variable, 1, 8, 2, 8, 152, 8, 153, 8)},
		// Seconds, interface names.
		{fields: all(82, variable, 83, variable, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 10, 4, 14, 4, 1, 4, 2, 4, 150, 4, 151, 4)},
		// NTP microseconds, IPv6.
		{v6: true, fields: all(27, 16, 28, 16, 63, 16, 7, 2, 11, 2, 4, 1, 5, 1, 1, 8, 2, 8, 154, 8, 155, 8, 31, 4)},
		// Microseconds before the export.
		{fields: all(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 10, 2, 14, 2, 158, 4, 159, 4, 1, 4, 2, 4)},
		// A biflow.
		{fields: append(all(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 8, 2, 8, 152, 8, 153, 8, 136, 1),
			field{1, 8, penReverse}, field{2, 8, penReverse})},
		// Fields of an enterprise: a number, octets, and octets of variable length.
		{fields: append([]field{{1, 4, penExample}, {2, variable, penExample}, {3, 16, penExample}},
			all(8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 4, 2, 4, 156, 8, 157, 8)...)},
		// Uptime, with the time of the boot.
		{fields: all(160, 8, 22, 4, 21, 4, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 8, 2, 8, 10, 4, 14, 4)},
		// Layer 2, IPv6.
		{v6: true, fields: all(56, 6, 80, 6, 58, 2, 243, 2, 27, 16, 28, 16, 7, 2, 11, 2, 4, 1, 1, 8, 2, 8, 152, 8, 153, 8, 138, 4)},
		// A section of the frame.
		{fields: all(315, variable, 10, 4, 14, 4, 1, 4, 2, 4, 152, 8, 153, 8)},
		// Long texts.
		{fields: all(371, variable, 460, variable, 461, variable, 8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 1, 8, 2, 8, 156, 8, 157, 8)},
	})
)

// variants numbers templates.
func variants(list []tmpl) []tmpl {
	for i := range list {
		list[i].id = idVariants + uint16(i)
	}
	return list
}
