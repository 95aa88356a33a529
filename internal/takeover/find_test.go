package takeover

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/internal/config"
)

// TestFind finds every command line in the files of testdata.
func TestFind(t *testing.T) {
	want := map[string][]string{ // file: place and translated line, -addr=:8080 left out
		"compose.yml": {
			"service goflow2: weir -transport=kafka -transport.kafka.brokers=127.0.0.1:9092 -transport.kafka.topic=flows -format=bin",
			"service old: weir -loglevel=debug",
			`service pipe: weir -format=bin -transport.file.sep= | enricher -db.asn=asn.mmdb -db.country=country.mmdb > "$HOME/flows.bin"`,
			"service text: weir '-listen=sflow://:6343,netflow://:2055?count=2' -mapping=mapping.yaml -addr=:8081",
		},
		"deployment.yaml": {
			"deployment flows, container goflow2: weir -transport=kafka -transport.kafka.brokers=127.0.0.1:9092 -transport.kafka.topic=flows -transport.kafka.linger=1s",
			"pod shell, container collect: cd . ; exec weir -format=json -transport.file=out.json",
		},
		"Dockerfile":      {"ENTRYPOINT and CMD: weir -mapping=mapping.yaml -samplingrate.default=1000"},
		"goflow2.env":     {"variable GOFLOW2_ARGS: weir -transport.file=flows.json -loglevel=error"},
		"goflow2.service": {"ExecStart: weir -format=text -transport.file=flows.json -loglevel=error"},
		"start.sh": {
			"line 7: weir -format=text", "line 10: cd . && weir -listen=sflow://:6343 -addr= 2>& 1 | tee log",
			"line 11: bash -c 'weir -produce=raw | cat > raw.json'",
		},
	}
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) != len(want) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		commands, err := Find(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, c := range commands {
			place, ok := strings.CutPrefix(c.Where, name+", ")
			translated, err := config.TranslateScript(c.Line)
			if !ok || err != nil {
				t.Errorf("%s: %q: %v", name, c.Line, err)
				continue
			}
			if len(translated.Refused) > 0 {
				t.Errorf("%s: refused %q", c.Where, translated.Refused)
			}
			got = append(got, place+": "+strings.ReplaceAll(translated.Line, " -addr=:8080", ""))
		}
		if !slices.Equal(got, want[filepath.Base(name)]) {
			t.Errorf("%s:\ngot  %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(want[filepath.Base(name)], "\n     "))
		}
	}
}

// TestNone refuses files without a command of goflow2, and broken ones.
func TestNone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"compose.yml": "services: {kafka: {image: kafka, command: [sh, -c, run]}}",
		"broken.yml":  "services: [",
		"Dockerfile":  "FROM netsampler/goflow2\nFROM scratch\nCMD [\"x\"]",
		"x.service":   "[Service]\nExecStart=/usr/bin/nfcapd",
		"x.env":       "A=b\nC=-d",
		"x.sh":        "docker pull netsampler/goflow2\npkill goflow2\n# goflow2 -x\n",
		"empty":       "",
		"quote.yml":   "services: {goflow2: {command: \"goflow2 'x\"}}",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		commands, err := Find(path)
		if err == nil || len(commands) > 0 {
			t.Errorf("%s: %+v, %v", name, commands, err)
		}
		if broken := name == "broken.yml" || name == "quote.yml"; errors.Is(err, ErrNone) == broken {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Find(filepath.Join(dir, "missing")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

// TestUnset: variables that nothing sets are named.
func TestUnset(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compose.yml")
	text := "services: {goflow2: {command: ['-transport.kafka.brokers=$A', '-transport.file=${B:-b}$A', '-mapping=$HOME/m']}}"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	commands, err := Find(path)
	if err != nil || len(commands) != 1 || !slices.Contains(commands[0].Notes, "set before the line is started: A") {
		t.Errorf("%+v, %v", commands, err)
	}
}

func TestIsFile(t *testing.T) {
	dir := t.TempDir()
	program, text := filepath.Join(dir, "goflow2"), filepath.Join(dir, "args")
	if err := errors.Join(os.WriteFile(program, []byte("\x7fELF\x00"), 0o700), os.WriteFile(text, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]bool{program: false, text: true, dir: false, "goflow2 -format=bin": false} {
		if IsFile(value) != want {
			t.Errorf("%s is a file: %v", value, !want)
		}
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"A": "a", "EMPTY": ""}
	for text, want := range map[string]string{
		"$A ${A} $(A)": "a a a", "${B:-b} ${B-b}": "b b", "${EMPTY:-b} ${EMPTY-b}": "b ", "$B ${B:?no}": "${B} ${B}", "$$A": "$A", "5$": "5$",
	} {
		if got := expand(text, values, true); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func FuzzFind(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(filepath.Base(name), string(data))
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		if strings.ContainsAny(name, "/\x00") || name == "" || name == "." || name == ".." || len(name) > 100 {
			return
		}
		path := filepath.Join(t.TempDir(), name)
		if os.WriteFile(path, []byte(text), 0o600) != nil {
			return
		}
		commands, err := Find(path)
		if err == nil && len(commands) == 0 {
			t.Error("nothing found, and no error")
		}
		for _, c := range commands {
			_, _ = config.TranslateScript(c.Line) // must not panic
		}
	})
}
