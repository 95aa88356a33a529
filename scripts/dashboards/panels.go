package main

import (
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// kind is how a panel is drawn.
type kind int

const (
	lines kind = iota
	stacked
	number
	rows
)

// query is what a panel asks: a PromQL expression or a statement of ClickHouse.
type query struct {
	expr, legend string
}

// panel is a row of the tables in operations.go and flows.go.
type panel struct {
	title, about string
	kind         kind
	unit         string
	width        uint32 // of 24
	queries      []query
	alarm        bool // a number that is red above 0
}

// section is a row of panels.
type section struct {
	title  string
	panels []panel
}

// source makes the queries of a panel. table: the answer is shown as a table or number.
type source func(q query, refID string, table bool) cog.Builder[variants.Dataquery]

// datasource is the variable by which the user chooses the data source.
const datasource = "${datasource}"

func reference(plugin string) common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr(plugin), Uid: cog.ToPtr(datasource)}
}

// promQL is the source of Prometheus queries.
func promQL(q query, refID string, table bool) cog.Builder[variants.Dataquery] {
	b := prometheus.NewDataqueryBuilder().RefId(refID).Expr(q.expr).LegendFormat(q.legend).Datasource(reference("prometheus"))
	if table {
		return b.Instant()
	}
	return b.Range()
}

// clickHouseQuery is a query of the plugin grafana-clickhouse-datasource, which the SDK has
// no type for.
type clickHouseQuery struct {
	variants.UnknownDataquery
}

func (c clickHouseQuery) Build() (variants.Dataquery, error) { return c.UnknownDataquery, nil }

// clickHouse is the source of ClickHouse queries.
func clickHouse(q query, refID string, table bool) cog.Builder[variants.Dataquery] {
	format, kind := 0, "timeseries" // of the plugin's version 4
	if table {
		format, kind = 1, "table"
	}
	return clickHouseQuery{variants.UnknownDataquery{
		"refId": refID, "datasource": reference("grafana-clickhouse-datasource"),
		"editorType": "sql", "pluginVersion": "4.0.0", "format": format, "queryType": kind, "rawSql": q.expr,
	}}
}

// build makes a panel.
func (p panel) build(ask source, plugin string) cog.Builder[dashboard.Panel] {
	ref := reference(plugin)
	var targets []cog.Builder[variants.Dataquery]
	for i, q := range p.queries {
		targets = append(targets, ask(q, string(rune('A'+i)), p.kind == number || p.kind == rows))
	}
	switch p.kind {
	case number:
		b := stat.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Datasource(ref).Targets(targets).Span(p.width).Height(4).
			ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})).ColorMode(common.BigValueColorModeValue).GraphMode(common.BigValueGraphModeNone)
		steps := []dashboard.Threshold{{Color: "text"}}
		if p.alarm {
			steps = []dashboard.Threshold{{Color: "green"}, {Color: "red", Value: cog.ToPtr(0.000001)}}
		}
		return b.Thresholds(dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).Steps(steps))
	case rows:
		b := table.NewPanelBuilder().Title(p.title).Description(p.about).Datasource(ref).Targets(targets).Span(p.width).Height(9).
			Footer(common.NewTableFooterOptionsBuilder().Show(false).Reducer([]string{}))
		for _, c := range []struct{ column, unit string }{{"bytes", "decbytes"}, {"packets", "short"}, {"flows", "short"}} {
			if strings.Contains(p.queries[0].expr, "AS "+c.column) {
				b = b.OverrideByName(c.column, []dashboard.DynamicConfigValue{{Id: "unit", Value: c.unit}})
			}
		}
		return b
	}
	b := timeseries.NewPanelBuilder().Title(p.title).Description(p.about).Unit(p.unit).Datasource(ref).Targets(targets).Span(p.width).Height(8).Min(0).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		FillOpacity(10)
	if p.kind == stacked {
		b = b.FillOpacity(40).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal))
	}
	return b
}

// assemble makes a dashboard of sections.
func assemble(b *dashboard.DashboardBuilder, sections []section, ask source, plugin string) (dashboard.Dashboard, error) {
	b = b.Timezone(common.TimeZoneBrowser).Readonly().Tooltip(dashboard.DashboardCursorSyncCrosshair)
	for _, s := range sections {
		b = b.WithRow(dashboard.NewRowBuilder(s.title))
		for _, p := range s.panels {
			b = b.WithPanel(p.build(ask, plugin))
		}
	}
	d, err := b.Build()
	for i, p := range d.Panels { // the builder gives all of them 0
		id := uint32(i + 1)
		if p.RowPanel != nil {
			p.RowPanel.Id = id
		} else {
			p.Panel.Id = &id
		}
	}
	return d, err
}
