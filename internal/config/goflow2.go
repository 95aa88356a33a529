package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/weirflow/weir/internal/option"
)

// goflow2Flags are the flags of goflow2: those of release v2.2.6, then those of
// its development since, then those of older releases. true: a switch.
func goflow2Flags() map[string]bool {
	flags := map[string]bool{}
	for _, name := range strings.Fields(`
		listen loglevel logfmt produce format transport err.cnt err.int addr templates.path mapping
		transport.file transport.file.sep
		transport.kafka.tls.client transport.kafka.tls.key transport.kafka.tls.ca transport.kafka.sasl
		transport.kafka.topic transport.kafka.srv transport.kafka.brokers transport.kafka.maxmsgbytes
		transport.kafka.flushbytes transport.kafka.flushfreq transport.kafka.version transport.kafka.compression

		templates.ttl templates.sweep-interval templates.json.path templates.json.interval

		workers metrics.addr metrics.path format.hash format.selector
		netflow.templates samplingrate.fallback transport.kafka.compression.type

		db.asn db.country samplingrate`) {
		flags[name] = false
	}
	for _, name := range strings.Fields(`
		v transport.kafka.tls transport.kafka.tls.insecure transport.kafka.hashing
		templates.ttl.extend-on-access
		reuseport format.protobuf.fixedlen transport.kafka.log.err`) {
		flags[name] = true
	}
	return flags
}

// A Translation is a command line of goflow2 as one of weir.
type Translation struct {
	// Line is the new command line, quoted for a shell.
	Line string
	// Changes are differences in the command line, Defaults those in what
	// happens without a flag for it. Both are sentences.
	Changes, Defaults []string
	// Refused are the flags that cannot be had; the line goes without them.
	Refused []string
	// Dashboards tells of each dashboard that goflow2 publishes whether it keeps working.
	Dashboards []string
}

// Translate turns a command line of goflow2, as one would type it, into one of
// weir. Pipes into goflow2's enricher and scripts of sh -c are translated too; other
// commands in the line are left as they are. The error tells why the line cannot be read.
func Translate(line string) (*Translation, error) {
	words, err := splitWords(line)
	if err != nil {
		return nil, err
	}
	return translate(words)
}

// TranslateScript does so with a shell script, in which a line end ends a command.
func TranslateScript(script string) (*Translation, error) {
	words, err := splitScript(script)
	if err != nil {
		return nil, err
	}
	return translate(words)
}

func translate(words []word) (*Translation, error) {
	t := &Translation{}
	found, out, err := t.commands(words)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, ErrNoCommand
	}
	t.Line = strings.Join(out, " ")
	return t, nil
}

// ErrNoCommand reports a line without a command of goflow2.
var ErrNoCommand = errors.New("no command of goflow2 in it: want goflow2 or enricher, and its flags")

// Mentions reports whether words of a command line, or a script among them, have a command
// of goflow2.
func Mentions(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		inner, err := splitScript(w)
		return err == nil && slices.ContainsFunc(inner, func(w word) bool { return program(w.text) != "" })
	})
}

// Quote quotes words for a shell, each where it needs it. Variables in them are still replaced.
func Quote(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		if out[i] = quote(w); strings.Contains(w, "$") {
			out[i] = quoteExpanding(w)
		}
	}
	return strings.Join(out, " ")
}

// Words cuts a command line into its words, as container engines do with one that is
// written as a text.
func Words(line string) ([]string, error) {
	words, err := splitWords(line)
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w.text
	}
	return out, err
}

// between are the operators between two commands.
var between = []string{"|", "|&", "||", "&&", "&", ";", ";;"}

// commands translates all commands of a line.
func (t *Translation) commands(words []word) (found bool, out []string, err error) {
	words, redacted := redactWords(words)
	if note := "what looks like a password is written as " + option.Hidden; redacted && !slices.Contains(t.Changes, note) {
		t.Changes = append(t.Changes, note)
	}
	for first := true; len(words) > 0; first = false {
		n := slices.IndexFunc(words, func(w word) bool { return w.operator && slices.Contains(between, w.text) })
		if n < 0 {
			n = len(words)
		}
		ours, text, err := t.command(words[:n], first)
		if err != nil {
			return false, nil, err
		}
		found = found || ours
		out = append(out, text...)
		if n < len(words) {
			out = append(out, words[n].text)
		}
		words = words[min(n+1, len(words)):]
	}
	return found, out, nil
}

// command translates one command of a line. It reports whether it was one of
// goflow2's.
func (t *Translation) command(words []word, first bool) (ours bool, out []string, err error) {
	engine := func(w word) bool { return w.text == "docker" || w.text == "podman" }
	if shell, script := shellScript(words); script > 0 {
		inner, err := splitScript(words[script].text)
		if err != nil {
			return false, nil, fmt.Errorf("script of %s: %w", words[shell].text, err)
		}
		found, text, err := t.commands(inner)
		if err != nil || found {
			before := words[:shell]
			if slices.ContainsFunc(before, engine) {
				t.Changes = append(t.Changes, inContainer, noShell)
				before = nil
			}
			out = append(quoteWords(before), quote(strings.TrimPrefix(words[shell].text, "--entrypoint=")), "-c", quote(strings.Join(text, " ")))
			return found, append(out, quoteWords(words[script+1:])...), err
		}
	}
	at := slices.IndexFunc(words, func(w word) bool { return program(w.text) != "" })
	if at < 0 {
		if !first || len(words) == 0 || !strings.HasPrefix(words[0].text, "-") {
			return false, quoteWords(words), nil
		}
		out = []string{"weir"} // flags alone
	} else {
		if slices.ContainsFunc(words[:at], engine) {
			t.Changes = append(t.Changes, inContainer)
		} else {
			out = quoteWords(slices.DeleteFunc(words[:at:at], func(w word) bool { return w.text == "$" })) // sudo, variables
		}
		out = append(out, program(words[at].text))
	}
	words = words[at+1:]
	end := slices.IndexFunc(words, func(w word) bool { return w.operator })
	if end < 0 {
		end = len(words)
	}
	return true, append(append(out, t.flags(out[len(out)-1], words[:end])...), quoteWords(words[end:])...), nil
}

// What is said of command lines of container engines.
const (
	inContainer = "the line is for weir outside of a container; make image makes an image of weir, which takes the same flags"
	noShell     = "the image of weir has no shell: it runs weir alone, with -enrich.asn and -enrich.country instead of a pipe into the enricher"
)

// shellScript returns where in a command a shell and its script of -c stand; script is 0
// if there is none. Other words may stand between, as with docker run --entrypoint sh.
func shellScript(words []word) (shell, script int) {
	shells := []string{"sh", "bash", "ash", "dash", "zsh", "ksh"}
	shell = slices.IndexFunc(words, func(w word) bool {
		return !w.operator && slices.Contains(shells, path.Base(strings.TrimPrefix(w.text, "--entrypoint=")))
	})
	if shell < 0 {
		return 0, 0
	}
	for i := shell + 1; i+1 < len(words); i++ {
		flag := words[i].text
		if len(flag) > 1 && flag[0] == '-' && strings.HasSuffix(flag, "c") && !strings.ContainsAny(flag[1:], "-.=") {
			return shell, i + 1
		}
	}
	return 0, 0
}

// program returns what a program of goflow2's is called here, "" for others.
func program(name string) string {
	name, _, _ = strings.Cut(path.Base(name), ":")
	switch {
	case strings.HasPrefix(name, "goflow"):
		return "weir"
	case strings.HasPrefix(name, "enricher"):
		return "enricher"
	}
	return ""
}

// flags translates the flags of one command.
func (t *Translation) flags(program string, args []word) (out []string) {
	c, e := newConfig(), newEnricher()
	options := c.options()
	if program == "enricher" {
		options = e.options()
	}
	known := goflow2Flags()
	values := map[string]string{}
	for i := 0; i < len(args); i++ {
		arg, expands := args[i].text, args[i].expands
		if expands && arg[0] == '$' {
			t.Changes = append(t.Changes, arg+" is set elsewhere, and flags in it are not looked at: give -goflow2 the file that sets it too")
			out = append(out, quoteExpanding(arg))
			continue
		}
		if len(arg) < 2 || arg[0] != '-' {
			t.Refused = append(t.Refused, fmt.Sprintf("argument %d is no flag", i+1))
			continue
		}
		name, value, hasValue := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		isSwitch := known[name]
		switch {
		case hasValue:
		case isSwitch:
			value = "true"
		case i+1 < len(args):
			i++
			value, expands = args[i].text, args[i].expands
		}
		if name == "v" || name == "version" {
			out = append(out, "-v")
			continue
		}
		text, keep := t.flag(options, name, value)
		if keep != "" {
			values[keep] = text
			if word := "-" + keep + "=" + text; expands {
				out = append(out, quoteExpanding(word))
			} else {
				out = append(out, quote(word))
			}
		}
	}
	if _, ok := values["addr"]; !ok && program == "weir" {
		if o := find(options, "addr"); o.Default != ":8080" {
			out = append(out, "-addr=:8080")
			t.Changes = append(t.Changes, "-addr=:8080 is goflow2's default; that of weir is "+o.Default)
		}
	}
	t.defaults(program, values)
	t.dashboards(program, values)
	t.verify(program, out)
	return out
}

// flag translates one flag; name is "" for one that is left out.
func (t *Translation) flag(options []option.Option, flag, value string) (text, name string) {
	o, old := find(options, flag), findOld(flag)
	if o == nil && old != nil && old.to != "" {
		if o = find(options, old.to); o != nil {
			t.Changes = append(t.Changes, fmt.Sprintf("-%s is called -%s", flag, o.Name))
		}
	}
	switch {
	case o != nil:
		if isSecret(o.Name) && (o.Value.Set(value) != nil || o.Value.Check() != nil) {
			value = option.Hidden
		}
		return t.value(o.Name, value), o.Name
	case old != nil && old.noEffect != "" && (!old.onlyTrue || isTrue(value)):
		t.Changes = append(t.Changes, fmt.Sprintf("-%s is left out: %s", flag, old.noEffect))
	case old != nil && old.refusal != "":
		t.Refused = append(t.Refused, fmt.Sprintf("-%s: %s", flag, old.refusal))
	default:
		why := "neither goflow2 nor weir has such a flag"
		if _, known := goflow2Flags()[flag]; known {
			why = "not an option of this command"
		}
		t.Refused = append(t.Refused, fmt.Sprintf("-%s: %s", flag, why))
	}
	return "", ""
}

func isTrue(s string) bool {
	b, err := strconv.ParseBool(s)
	return err == nil && b
}

// value translates the value of an option.
func (t *Translation) value(name, value string) string {
	switch {
	case name == "format" && value == "pb":
		t.Changes = append(t.Changes, "the format pb is called bin; both names work")
		return "bin"
	case name == "listen":
		return t.listen(value)
	}
	return value
}

// listen takes the parameters that mean nothing out of listen addresses.
func (t *Translation) listen(value string) string {
	uris := strings.Split(value, ",")
	for i, uri := range uris {
		base, query, ok := strings.Cut(uri, "?")
		params, err := url.ParseQuery(query)
		if !ok || err != nil {
			continue
		}
		for _, name := range []string{"workers", "blocking", "queue_size"} {
			if !params.Has(name) {
				continue
			}
			params.Del(name)
			if note := listenNote(name); !slices.Contains(t.Changes, note) {
				t.Changes = append(t.Changes, note)
			}
		}
		if uris[i] = base; len(params) > 0 {
			uris[i] += "?" + params.Encode()
		}
	}
	return strings.Join(uris, ",")
}

// defaults adds what happens otherwise without a flag for it.
func (t *Translation) defaults(program string, values map[string]string) {
	add := func(text string) { t.Defaults = append(t.Defaults, program+": "+text) }
	_, sep := values["transport.file.sep"]
	kafka := values["transport"] == "kafka"
	if values["format"] == "bin" && !kafka && !sep {
		add(`a line end follows every protobuf message, as with goflow2; -transport.file.sep= leaves it out`)
	}
	if kafka {
		if _, ok := values["transport.kafka.linger"]; !ok {
			add("messages are sent to Kafka after 100 ms at the latest, where goflow2 waits for 5 s; -transport.kafka.linger=5s does as well")
		}
		add("a message counts as written when all in-sync replicas have it, where goflow2 asks the leader alone: -transport.kafka.acks=1")
		add("a cluster that is away at the start is waited for; with -spool.dir flows go to disk meanwhile")
	}
	if program == "enricher" {
		add("what a database does not know stays as the exporter said it, where goflow2 sets 0")
		return
	}
	add("each socket has one worker on a thread of its own: count in -listen is their number; goflow2 has two workers a socket")
	add("templates belong to the exporter's address, whatever its source port")
	if values["addr"] != "" || !slices.Contains(sortedKeys(values), "addr") {
		add("/metrics has weir's own names in addition to goflow2's; -metrics.goflow2=off leaves goflow2's out")
	}
}

// dashboards tells what becomes of the dashboards that goflow2 publishes.
func (t *Translation) dashboards(program string, values map[string]string) {
	if program != "weir" {
		return
	}
	metrics := "perfs.json (metrics goflow2_flow_traffic_*, goflow2_flow_process_*, goflow2_flow_decoding_time_seconds) keeps working: each of its queries has an answer"
	if addr, set := values["addr"]; set && addr == "" {
		metrics = `perfs.json (metrics goflow2_*) shows nothing, as before: -addr "" serves no metrics`
	} else if values["metrics.path"] != "" {
		metrics += "; metrics_path of Prometheus stays " + values["metrics.path"]
	}
	t.Dashboards = append(t.Dashboards, metrics,
		"dashboards of goflow v1 (metrics flow_* without goflow2_, such as flow_process_nf_errors_count) do not: weir has the names of goflow2 v2")
	if values["transport"] == "kafka" {
		clickhouse := "viz-ch.json (ClickHouse) keeps working with the tables of goflow2 v2 (time_received_ns): messages and names of fields are the same"
		if values["format"] != "bin" {
			clickhouse += "; those tables read protobuf, -format=bin"
		}
		t.Dashboards = append(t.Dashboards, clickhouse,
			"viz-ch.json with tables of goflow2 v1 (TimeReceived) shows times of 1970: neither goflow2 v2 nor weir writes these fields; make the tables again with time_received_ns")
	}
	if values["transport.kafka.sasl"] != "" && values["transport.kafka.sasl"] != "none" {
		t.Changes = append(t.Changes, "KAFKA_SASL_USER and KAFKA_SASL_PASS are needed in weir's environment, as in goflow2's")
	}
}

// verify has the new command line parsed.
func (t *Translation) verify(program string, quoted []string) {
	args := make([]string, 0, len(quoted))
	for _, q := range quoted {
		if words, err := splitWords(q); err == nil && len(words) == 1 && !words[0].expands {
			args = append(args, words[0].text)
		}
	}
	var err error
	if program == "enricher" {
		_, err = ParseEnricher(args, []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=p"}, io.Discard)
	} else {
		_, err = parse(args, []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=p"}, io.Discard, anyAddress)
	}
	if err != nil {
		t.Refused = append(t.Refused, strings.Split(err.Error(), "\n")...)
	}
}

// anyAddress stands for looking names up, which a translation does not.
func anyAddress(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.IPv6Unspecified()}, nil
}
