// Package programs has what the help, the manual pages and the completions of weir and the
// enricher share.
package programs

import (
	"fmt"
	"strings"

	"github.com/weirflow/weir/internal/config"
	"github.com/weirflow/weir/internal/manual"
	"github.com/weirflow/weir/internal/top"
)

// commands are the commands of weir, in the order of the help.
var commands = []manual.Command{
	{Name: "run", Args: "[flags]", Does: "collect until SIGTERM; also without \"run\""},
	{Name: "decode", Args: "[flags] FILE...", Does: "write the flows in pcap and pcapng captures"},
	{Name: "check", Args: "[flags]", Does: "say what this host and configuration would do"},
	{Name: "check", Args: "-strict -json -defaults", Does: "the same; fail at warnings too, as JSON, with options at their defaults"},
	{Name: "check", Args: "-goflow2 \"LINE\"|FILE", Does: "goflow2's command line, or those in a file, for weir, and what differs"},
	{Name: "top", Args: "[-addr host:port] [-once]", Does: "show a running weir: rates, loss, exporters; -once as tables", Table: top.Table()},
	{Name: "reload", Args: "[PID]", Does: "have a running weir read its configuration again"},
	{Name: "health", Args: "[flags]", Does: "ask a running weir for its health: exit code 0 or 1, for probes"},
	{Name: "xdp detach", Args: "IF...", Does: "remove the XDP programs that a weir which has ended left"},
	{Name: "completion", Args: "bash|zsh|fish", Does: "write the shell's completions"},
	{Name: "help", Args: "[command|option]", Does: "this text, the flags of a command, or one option"},
	{Name: "version", Does: "the version"},
}

// Help returns the help of weir itself.
func Help() string {
	var b strings.Builder
	b.WriteString("weir receives NetFlow, IPFIX and sFlow and writes the flows as JSON lines or protobuf.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-36s %s\n", strings.TrimSpace("weir "+c.Name+" "+c.Args), c.Does)
	}
	b.WriteString("\nweir -h lists the flags. Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.\n")
	return b.String()
}

// Names lists the commands for a message.
func Names() string {
	var names []string
	for _, c := range commands {
		name, _, _ := strings.Cut(c.Name, " ")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// All returns the programs that have manual pages and completions.
func All() []manual.Program {
	exits := []manual.Exit{
		{Code: 0, Means: "Done."}, {Code: 1, Means: "Failed while running."},
		{Code: 2, Means: "The command line or the configuration is wrong; the message names each fault and its place."},
	}
	return []manual.Program{
		{
			Name: "weir", Title: "collect NetFlow, IPFIX and sFlow", Table: config.WeirTable(), Commands: commands, Exits: exits,
			Files: []manual.File{
				{Path: "/etc/weir/weir.yaml", Does: "Configuration of the service, weir.yaml(5)."},
				{Path: "/var/log/weir/", Does: "Flows, where the service is configured to write them to files."},
				{Path: "/var/lib/weir/", Does: "State of the service: templates, sampling rates, sequence numbers, the spool of Kafka."},
			},
			Signals: []manual.Signal{
				{Name: "SIGTERM, SIGINT", Does: "Stop: receive what waits, write it, save the state. A second one stops at once."},
				{Name: "SIGHUP", Does: "Read the configuration again and open output files again, as weir reload does."},
			},
			See: []string{"weir.yaml(5)", "enricher(1)", "systemctl(1)"},
		},
		{
			Name: "enricher", Title: "add AS numbers and countries to flows", Table: config.EnricherTable(), Exits: exits,
			See: []string{"weir(1)"},
		},
	}
}
