package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// flows is the dashboard of the table flows of docs/pipelines/clickhouse.sql.
func flows() (dashboard.Dashboard, error) {
	plugin := "grafana-clickhouse-datasource"
	b := dashboard.NewDashboardBuilder("weir: flows").Uid("weir-flows").Tags([]string{"weir"}).
		Description("Traffic by the flows in ClickHouse, each multiplied by its sampling rate. The table is that of docs/pipelines/clickhouse.sql.").
		Time("now-1h", "now").Refresh("1m").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("ClickHouse").Type(plugin)).
		WithVariable(dashboard.NewQueryVariableBuilder("exporter").Label("Exporter").Datasource(reference(plugin)).
			Query(dashboard.StringOrMap{String: cog.ToPtr(exporterQuery)}).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Multi(true).IncludeAll(true))
	return assemble(b, flowSections, clickHouse, plugin)
}

const (
	exporterQuery = `SELECT DISTINCT replaceRegexpOne(toString(sampler), '^::ffff:', '') AS exporter FROM flows WHERE $__timeFilter(time_received) ORDER BY exporter LIMIT 1000`
	// where chooses the time and the exporters of the dashboard.
	where = ` FROM flows WHERE $__timeFilter(time_received) AND replaceRegexpOne(toString(sampler), '^::ffff:', '') IN (${exporter:singlequote}) `
	// octets are bytes times the sampling rate; an unknown rate, 0, counts as 1.
	octets  = `sum(bytes * greatest(sampling_rate, 1))`
	packets = `sum(packets * greatest(sampling_rate, 1))`
	slot    = `SELECT $__timeInterval(time_received) AS time, `
	perSlot = `GROUP BY time ORDER BY time`
	// protocol names the usual IP protocols.
	protocol = `transform(toUInt16(proto), [1, 2, 6, 17, 47, 50, 51, 58, 89, 132], ['ICMP', 'IGMP', 'TCP', 'UDP', 'GRE', 'ESP', 'AH', 'ICMPv6', 'OSPF', 'SCTP'], toString(proto))`
)

// address is an address as people write it.
func address(column string) string {
	return `replaceRegexpOne(toString(` + column + `), '^::ffff:', '')`
}

// series is traffic in bits a second by a label.
func series(label string) query {
	return query{expr: slot + label + octets + ` * 8 / $__interval_s AS traffic` + where + perSlotBy(label)}
}

func perSlotBy(label string) string {
	if label == "" {
		return perSlot
	}
	return `GROUP BY time, label ORDER BY time`
}

// top are the first 20 of what columns tell apart.
func top(columns, group string) query {
	return query{expr: `SELECT ` + columns + `, ` + octets + ` AS bytes, ` + packets + ` AS packets, count() AS flows` + where + `GROUP BY ` + group + ` ORDER BY bytes DESC LIMIT 20`}
}

var flowSections = []section{
	{"Traffic", []panel{
		{"Traffic", "Bits a second.", lines, "bps", 12, []query{series("")}, false},
		{"Traffic by protocol", "", stacked, "bps", 12, []query{series(protocol + ` AS label, `)}, false},
		{"Traffic by exporter", "", stacked, "bps", 12, []query{series(address("sampler") + ` AS label, `)}, false},
		{"Traffic by family", "", stacked, "bps", 12, []query{series(`multiIf(etype = 0x0800, 'IPv4', etype = 0x86dd, 'IPv6', 'other') AS label, `)}, false},
		{"Packets", "Packets a second.", lines, "pps", 12, []query{{expr: slot + packets + ` / $__interval_s AS packets` + where + perSlot}}, false},
		{"Flows", "Flow messages a second, without the sampling rate.", lines, "short", 12, []query{{expr: slot + `count() / $__interval_s AS flows` + where + perSlot}}, false},
	}},
	{"Who", []panel{
		{"Sources", "", rows, "", 12, []query{top(address("src")+` AS source`, "source")}, false},
		{"Destinations", "", rows, "", 12, []query{top(address("dst")+` AS destination`, "destination")}, false},
		{"Conversations", "", rows, "", 24, []query{top(address("src")+` AS source, `+address("dst")+` AS destination, `+protocol+` AS protocol, src_port, dst_port`, "source, destination, protocol, src_port, dst_port")}, false},
	}},
	{"Where", []panel{
		{"AS numbers", "From AS to AS; 0 is unknown: see -enrich.asn.", rows, "", 12, []query{top(`src_as, dst_as`, "src_as, dst_as")}, false},
		{"Services", "Protocol and the lower of the two ports.", rows, "", 12, []query{top(protocol+` AS protocol, least(src_port, dst_port) AS port`, "protocol, port")}, false},
		{"Interfaces", "Exporter, input and output interface by SNMP index.", rows, "", 24, []query{top(address("sampler")+` AS exporter, in_if, out_if`, "exporter, in_if, out_if")}, false},
	}},
}
