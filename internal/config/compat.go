package config

import "github.com/weirflow/weir/internal/option"

// Goflow2 says what is as goflow2 has it.
type Goflow2 struct {
	MetricsPath string // path of the metrics
	Metrics     string // "on" or "off": goflow2's metric names too
}

// options declares the options that are there for those who come from goflow2.
func (g *Goflow2) options() []option.Option {
	path := pathValue(&g.MetricsPath)
	check := path.Check
	path.Check = func() error {
		switch g.MetricsPath {
		case "/metrics":
			return nil
		case "":
			return &option.Problem{Text: "no path", Allowed: "a path that starts with /; -addr \"\" for no web server"}
		}
		return check()
	}
	return []option.Option{
		{
			Name: "metrics.path", Group: option.GroupSee, Default: "/metrics", Shape: "path", Value: path,
			Help: "Path of the metrics for Prometheus.",
		},
		{
			Name: "metrics.goflow2", Group: option.GroupSee, Default: "on", Shape: "on|off",
			Value: option.ChoiceValue(&g.Metrics, option.Choices{Allowed: []string{"on", "off"}, Same: map[string]string{"true": "on", "false": "off"}}),
			Help:  "Whether /metrics has the metrics under goflow2's names too, for dashboards made for it. metrics.exporters bounds their labels as well.",
		},
	}
}
