package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// operations is the dashboard of weir's own metrics.
func operations() (dashboard.Dashboard, error) {
	b := dashboard.NewDashboardBuilder("weir: operations").Uid("weir-operations").Tags([]string{"weir"}).
		Description("What weir receives, decodes, writes and loses. The runbook says what to do about each loss.").
		Time("now-1h", "now").Refresh("30s").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Label("Prometheus").Type("prometheus")).
		WithVariable(dashboard.NewQueryVariableBuilder("instance").Label("weir").Datasource(reference("prometheus")).
			Query(dashboard.StringOrMap{String: cog.ToPtr("label_values(weir_build_info, instance)")}).
			Refresh(dashboard.VariableRefreshOnTimeRangeChanged).Multi(true).IncludeAll(true).AllValue(".+"))
	return assemble(b, operationSections, promQL, "prometheus")
}

// lost are the counters of what is lost, in datagrams or records, by place.
var lost = []query{
	{`sum(rate(weir_socket_dropped_total{instance=~"$instance"}[$__rate_interval]))`, "socket (datagrams)"},
	{`sum(rate(weir_xdp_dropped_total{instance=~"$instance"}[$__rate_interval])) or vector(0)`, "XDP ring (datagrams)"},
	{`sum by (reason) (rate(weir_datagrams_total{instance=~"$instance", outcome="dropped"}[$__rate_interval]))`, "{{reason}} (datagrams)"},
	{`sum(rate(weir_sets_without_template_total{instance=~"$instance"}[$__rate_interval]))`, "without template (sets)"},
	{`sum by (reason) (rate(weir_records_dropped_total{instance=~"$instance"}[$__rate_interval]))`, "{{reason}} (flows)"},
}

var operationSections = []section{
	{"At a glance", []panel{
		{"Datagrams", "Datagrams received a second.", number, "pps", 4, []query{{`sum(rate(weir_datagrams_received_total{instance=~"$instance"}[5m]))`, ""}}, false},
		{"Flows", "Flow messages that the output has acknowledged, a second.", number, "short", 4, []query{{`sum(rate(weir_records_sink_total{instance=~"$instance", outcome="acknowledged"}[5m]))`, ""}}, false},
		{"Lost here", "Datagrams and flows that weir or this host lost within five minutes.", number, "short", 4, []query{{
			`sum(increase(weir_socket_dropped_total{instance=~"$instance"}[5m])) + (sum(increase(weir_xdp_dropped_total{instance=~"$instance"}[5m])) or vector(0)) + sum(increase(weir_datagrams_total{instance=~"$instance", outcome="dropped"}[5m])) + sum(increase(weir_records_dropped_total{instance=~"$instance"}[5m]))`, "",
		}}, true},
		{"Lost on the network", "Datagrams or flows, by the exporters' sequence numbers, that never arrived within five minutes.", number, "short", 4, []query{{`sum(increase(weir_sequence_lost_total{instance=~"$instance", place="network"}[5m]))`, ""}}, true},
		{"Exporters", "Exporters with an entry.", number, "short", 4, []query{{`sum(weir_exporters{instance=~"$instance"})`, ""}}, false},
		{"Silent exporters", "Exporters that have sent nothing for -exporters.silent-after.", number, "short", 4, []query{{`sum(weir_exporters_silent{instance=~"$instance"})`, ""}}, true},
	}},
	{"Receive", []panel{
		{"Datagrams by way", "socket: UDP sockets; xdp: AF_XDP rings.", stacked, "pps", 12, []query{{`sum by (path) (rate(weir_datagrams_received_total{instance=~"$instance"}[$__rate_interval]))`, "{{path}}"}}, false},
		{"Datagrams by protocol", "", stacked, "pps", 12, []query{{`sum by (protocol) (rate(weir_protocol_datagrams_total{instance=~"$instance"}[$__rate_interval]))`, "{{protocol}}"}}, false},
		{"Bytes received", "UDP payload.", lines, "Bps", 12, []query{{`sum by (instance) (rate(weir_datagrams_received_bytes_total{instance=~"$instance"}[$__rate_interval]))`, "{{instance}}"}}, false},
		{"Losses by place", "Each line is a place where something was lost. docs/runbook.md has a section for each.", lines, "short", 12, lost, false},
	}},
	{"Decode", []panel{
		{"Datagrams by outcome", "", stacked, "pps", 12, []query{{`sum by (outcome) (rate(weir_datagrams_total{instance=~"$instance"}[$__rate_interval]))`, "{{outcome}}"}}, false},
		{"Faults by reason", "Pieces of datagrams that were wrong. docs/errors.md explains each reason.", lines, "short", 12, []query{{`topk(10, sum by (reason) (rate(weir_decode_faults_total{instance=~"$instance"}[$__rate_interval])))`, "{{reason}}"}}, false},
		{"Templates and data that waits for them", "", lines, "short", 12, []query{
			{`sum(weir_templates{instance=~"$instance"})`, "templates"}, {`sum(weir_sets_held{instance=~"$instance"})`, "data sets that wait"},
		}, false},
		{"Flows by encoder", "Fused paths cost least; the generic path costs most.", stacked, "short", 12, []query{{`sum by (path) (rate(weir_records_encoded_total{instance=~"$instance"}[$__rate_interval]))`, "{{path}}"}}, false},
	}},
	{"Output", []panel{
		{"Flows produced and acknowledged", "The two lines are one as long as the output keeps up.", lines, "short", 12, []query{
			{`sum(rate(weir_records_produced_total{instance=~"$instance"}[$__rate_interval]))`, "produced"},
			{`sum(rate(weir_records_sink_total{instance=~"$instance", outcome="acknowledged"}[$__rate_interval]))`, "acknowledged"},
		}, false},
		{"Flows that wait", "In flight: between worker and output. Spooled: on disk, while Kafka is away.", lines, "short", 12, []query{
			{`sum(weir_records_in_flight{instance=~"$instance"})`, "in flight"}, {`sum(weir_records_spooled{instance=~"$instance"}) or vector(0)`, "spooled"},
		}, false},
		{"Bytes written", "", lines, "Bps", 12, []query{{`sum by (instance) (rate(weir_sink_bytes_total{instance=~"$instance"}[$__rate_interval]))`, "{{instance}}"}}, false},
		{"Flows dropped by reason", "", lines, "short", 12, []query{{`sum by (reason) (rate(weir_records_dropped_total{instance=~"$instance"}[$__rate_interval]))`, "{{reason}}"}}, false},
	}},
	{"Exporters", []panel{
		{"Busiest exporters", "Flows a second of the ten busiest.", lines, "short", 12, []query{{`topk(10, sum by (exporter) (rate(weir_exporter_records_total{instance=~"$instance"}[$__rate_interval])))`, "{{exporter}}"}}, false},
		{"Exporters with most loss", "Datagrams or flows a second that did not arrive, by sequence numbers.", lines, "short", 12, []query{{`topk(10, sum by (exporter) (rate(weir_exporter_lost_total{instance=~"$instance"}[$__rate_interval])))`, "{{exporter}}"}}, false},
		{"Sampling rate by source", "Flows by where their sampling rate came from. none: traffic is counted too low if the exporter samples.", stacked, "short", 12, []query{{`sum by (source) (rate(weir_records_sampling_total{instance=~"$instance"}[$__rate_interval]))`, "{{source}}"}}, false},
		{"Restarts and duplicates", "", lines, "short", 12, []query{
			{`sum(increase(weir_exporter_restarts_total{instance=~"$instance"}[5m]))`, "restarts in 5 min"}, {`sum(increase(weir_exporter_duplicates_total{instance=~"$instance"}[5m]))`, "duplicates in 5 min"},
		}, false},
	}},
	{"Process", []panel{
		{"CPU", "1 is one CPU.", lines, "short", 12, []query{{`sum by (instance) (rate(process_cpu_seconds_total{instance=~"$instance"}[$__rate_interval]) * on (instance) group_left () weir_build_info)`, "{{instance}}"}}, false},
		{"Memory", "Resident memory, and the limit that weir keeps to.", lines, "bytes", 12, []query{
			{`process_resident_memory_bytes{instance=~"$instance"} * on (instance) group_left () weir_build_info`, "{{instance}} resident"},
			{`weir_memory_max_bytes{instance=~"$instance"}`, "{{instance}} limit"},
		}, false},
		{"Versions", "", rows, "", 12, []query{{`max by (instance, version, revision, goversion) (weir_build_info{instance=~"$instance"})`, ""}}, false},
		{"Configuration", "1: the last reload was successful.", lines, "short", 12, []query{{`weir_config_last_reload_successful{instance=~"$instance"}`, "{{instance}}"}}, false},
	}},
}
