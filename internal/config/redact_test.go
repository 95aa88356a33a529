package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/option"
)

// planted is what must not be printed by anything.
const planted = "hunter2"

// plantedValues are texts with a password in them, as somebody may put them where
// something else should be.
var plantedValues = []string{
	"user:" + planted + "@kafka.example",
	"kafka://user:" + planted + "@kafka.example:9092/",
	"netflow://:2055/?key=" + planted,
	"password=" + planted,
	`{"api_key": "` + planted + `"}`,
	"kafka1:9092?sasl.password=" + planted,
	"user:p," + planted + "@kafka.example:9092",
	"kafka://user:p@" + planted + "@kafka.example:1",
	`password="two ` + planted + `"`,
	"password='two " + planted + "'",
	"password=p," + planted,
}

// TestNoSecretIsPrinted plants passwords in every option, in every layer, in what is
// no option, and in what is not even YAML, and looks through all that is said of it.
func TestNoSecretIsPrinted(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	said := 0
	look := func(where, text string) {
		t.Helper()
		if text != "" {
			said++
		}
		if strings.Contains(text, planted) {
			t.Errorf("%s: %s", where, text)
		}
	}
	parsed := func(where string, args, env []string) {
		t.Helper()
		c, err := parse(args, env, io.Discard, anyAddress)
		if err != nil {
			look(where, err.Error())
			return
		}
		look(where, c.Render())
		look(where, strings.Join(append(c.Notes, c.Warnings...), "\n"))
	}
	file := func(where, text string) {
		t.Helper()
		path := filepath.Join(dir, "weir.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		parsed(where+" in YAML "+text[:min(len(text), 60)], []string{"-config", path}, nil)
	}
	for number, o := range newConfig().options() {
		values := plantedValues
		if isSecret(o.Name) {
			values = append([]string{planted, "base64/" + planted}, values...)
		}
		for i, v := range values {
			parsed("-"+o.Name, []string{"-" + o.Name + "=" + v}, nil)
			if i != number%len(values) {
				continue // one of them the other ways: each takes its time
			}
			parsed("-"+o.Name+" twice", []string{"-" + o.Name, v, "-format=xml"}, nil)
			if o.NoFile {
				continue
			}
			parsed(o.Env(), nil, []string{o.Env() + "=" + v})
			file(o.Name, fmt.Sprintf("%s: %q\n", o.Name, v))
			file(o.Name+" twice", fmt.Sprintf("%[1]s: %[2]q\n%[1]s: %[2]q\n", o.Name, v))
			file(o.Name+" as a list", fmt.Sprintf("%s: [%q]\n", o.Name, v))
		}
		if o.NoFile {
			continue
		}
		// A key below an option that has none, of each kind of value.
		if number%8 != 0 && !isSecret(o.Name) {
			continue
		}
		for _, v := range []string{planted, `"` + planted + `"`, "[" + planted + "]", "{a: " + planted + "}", "*" + planted, "&" + planted + " x", "!" + planted + " x", "|\n  " + planted + "\n"} {
			file(o.Name, o.Name+".no-such: "+v+"\n")
			file(o.Name, "no-such-"+o.Name+": "+v+"\n")
		}
		for _, v := range []string{"*" + planted, "&" + planted + " x", "!" + planted + " x"} {
			file(o.Name, o.Name+": "+v+"\n")
		}
	}
	for _, text := range []string{
		"transport.kafka.sasl.password: " + planted, "transport: {kafka: {sasl: {password: " + planted + "}}}",
		"transport:\n  kafka:\n    sasl:\n      pass: 'x" + planted, "sampling: [{password: " + planted + ",1}]",
		"sampling: [{exporter: 192.0.2.1, rate: 1, secret: !!str " + planted + "}]", planted, "[" + planted + "]", "- " + planted,
		"password " + planted + ": [", "addr: \"\\" + planted + "\"", "batch: " + planted, "spool: " + planted, "err.cnt: " + planted,
		"metrics.addr: " + planted, "netflow.templates.path: " + planted, "config: " + planted, "a: b\n---\n" + planted,
	} {
		file("odd", text+"\n")
	}
	for _, args := range [][]string{
		{"-transport.kafka.sasl.password=" + planted}, {"-transport.kafka.sasl.password", planted}, {"-x=" + planted, planted},
		{planted}, {"--", "-" + planted}, {"-format.selector=" + planted + "="}, {"-netflow.templates", planted}, {"-transport.kafka.sasl=" + planted},
		{"-transport.kafka.sasl=plain", "-transport.kafka.sasl.file=" + planted}, {"-transport.kafka.sasl.file", planted},
	} {
		if args[0] != "-format.selector="+planted+"=" {
			parsed("flags", args, []string{"WEIR_NO_SUCH=" + planted, "WEIR_PASSWORD=" + planted, "KAFKA_SASL_PASS=" + planted})
		}
		if _, err := ParseDecode(append(args, "file.pcap"), nil, io.Discard); err != nil && args[0] != planted {
			look("decode", err.Error())
		}
		if _, err := ParseEnricher(args, []string{"KAFKA_SASL_USER=u", "KAFKA_SASL_PASS=" + planted}, io.Discard); err != nil {
			look("enricher", err.Error())
		}
	}
	for _, line := range []string{
		"goflow2 -transport.kafka.sasl.password=" + planted, "KAFKA_SASL_PASS=" + planted + " goflow2 -transport kafka",
		"sudo KAFKA_SASL_PASS='" + planted + "' goflow2", "docker run -e KAFKA_SASL_PASS=" + planted + " netsampler/goflow2",
		"goflow2 " + planted, "goflow2 -nosuch " + planted, "goflow2 -transport.kafka.sasl=" + planted, "goflow2 -format.selector=" + planted,
		"goflow2 -transport.kafka.brokers=user:" + planted + "@kafka.example:9092", "goflow2 -err.cnt=" + planted,
		"goflow2 | kafkacat -X sasl.password=" + planted, "goflow2 | curl --password " + planted + " -u user:" + planted + "@example.net http://a:" + planted + "@b/",
		"enricher -db.asn x -password=" + planted, "x -password " + planted, "goflow2 '" + planted,
	} {
		tr, err := Translate(line)
		if err != nil {
			look(line, err.Error())
			continue
		}
		look(line, strings.Join(append(append(append([]string{tr.Line}, tr.Changes...), tr.Defaults...), tr.Refused...), "\n"))
	}
	if said < 300 {
		t.Errorf("only %d texts were looked at", said)
	}
}

// TestRedactLeavesTheRest: what is no password stays as it is.
func TestRedactLeavesTheRest(t *testing.T) {
	for _, text := range []string{
		"", "127.0.0.1:9092,[::1]:9092", "netflow://:2055/?count=4&workers=2", "192.0.2.0/24=1000,192.0.2.1@3=500", "2001:db8::1@3=500,2001:db8::/32=7",
		"/var/lib/weir/a@b", "64MiB,10s,100000", "src_addr,dst_addr", `\n`, "/etc/weir/passwd", "kafka1:9092,kafka2:9092", "flow-messages",
	} {
		if got := option.Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}
