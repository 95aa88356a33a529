package top

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "write the screens of testdata again")

// golden compares a screen with the file of its name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	got += "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test ./internal/top -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("screen %s is\n%s\nwant\n%s", name, got, want)
	}
}

// plain removes what marks text, and spaces at the ends of lines.
func plain(screen string) string {
	lines := strings.Split(ansi.Strip(screen), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// scenes are screens by what led to them.
var scenes = map[string]func(t *testing.T, width, height int) *looker{
	"first": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.model = newModel(nil, "127.0.0.1:8080", style{steps: steps}, read(t, request{page: pageHealth}, healthPage(false), noon))
		l.width, l.height = width, height
		return l
	},
	"exporters": func(t *testing.T, width, height int) *looker { return look(t, width, height, false) },
	"losing": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("s", "down")
		return l
	},
	"silence": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("s", "s")
		return l
	},
	"filter": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.press("/", "i", "p", "x", "backspace", "f", "i", "x")
		return l
	},
	"loss": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("2")
		return l
	},
	"loss-end": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("2", "end")
		return l
	},
	"queues": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("3")
		return l
	},
	"detail": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("/", "2", ".", "6", "enter", "enter")
		l.at = l.at.Add(time.Second)
		l.send(read(t, request{page: pageDetail, addr: "192.0.2.6"}, detailPage(l.at), l.at))
		return l
	},
	"gone": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.press("enter")
		l.send(answer{request: request{page: pageDetail, addr: l.plan.one}, began: l.at, at: l.at, err: errGone})
		return l
	},
	"help": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.press("?")
		return l
	},
	"away": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.fail(pageMetrics, errors.New("connection refused"))
		l.fail(pageHealth, errors.New("connection refused"))
		l.wait(12 * time.Second)
		return l
	},
	"back": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, true)
		l.fail(pageHealth, errors.New("connection refused"))
		l.wait(12 * time.Second)
		l.send(read(t, request{page: pageHealth}, healthPage(false), l.at))
		l.metrics(4000, l.at.Unix()-3)
		l.exporters(0)
		l.metrics(16000, l.at.Unix()-7)
		return l
	},
	"starting": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.send(read(t, request{page: pageHealth}, `{"status":"failing","reasons":["weir is starting or stopping"]}`, l.at))
		return l
	},
	"slow": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.fail(pageExporters, errors.New("no answer within 8s"))
		return l
	},
	"paused": func(t *testing.T, width, height int) *looker {
		l := look(t, width, height, false)
		l.press("p")
		l.wait(time.Minute)
		l.metrics(2e9, began.Unix())
		return l
	},
}

// TestScreens compares each screen at 80 columns with the one in testdata.
func TestScreens(t *testing.T) {
	for name, scene := range scenes {
		golden(t, name, plain(scene(t, 80, 24).screen()))
	}
	golden(t, "wide", plain(scenes["losing"](t, 150, 30).screen()))
	golden(t, "narrow", plain(scenes["losing"](t, 40, 10).screen()))
	colored := scenes["losing"](t, 80, 24)
	colored.style = style{color: true, steps: plainSteps}
	golden(t, "color", strings.ReplaceAll(colored.screen(), "\x1b", "^"))
}

// marks are the sequences that screens may have: bold, reverse, and without color nothing
// else.
var (
	marks  = regexp.MustCompile("\x1b\\[[17]?m")
	colors = regexp.MustCompile("\x1b\\[(1;31|32|33|36|[17]?)m")
)

// TestScreensFit: whatever the size, a screen has as many lines as the terminal, none is
// longer, and nothing but our own marks reaches the terminal.
func TestScreensFit(t *testing.T) {
	for name, scene := range scenes {
		l := scene(t, 80, 24)
		for _, width := range []int{1, 10, 25, 39, 40, 60, 79, 80, 81, 99, 100, 113, 126, 136, 200} {
			for _, height := range []int{1, 2, 3, 5, 8, 12, 24, 25, 60} {
				for _, color := range []bool{true, false} {
					l.width, l.height = width, height
					l.style.color = color
					screen := l.screen()
					allowed := marks
					if color {
						allowed = colors
					}
					text := allowed.ReplaceAllString(screen, "")
					lines := strings.Split(text, "\n")
					if len(lines) != max(2, height) && len(lines) != height {
						t.Errorf("%s at %dx%d has %d lines", name, width, height, len(lines))
					}
					for _, line := range lines {
						if w := ansi.StringWidth(line); w > width {
							t.Errorf("%s at %dx%d: %d columns: %q", name, width, height, w, line)
						}
						if i := strings.IndexFunc(line, func(r rune) bool { return r != utf8.RuneError && !shown(r) }); i >= 0 || !utf8.ValidString(line) {
							t.Errorf("%s at %dx%d has what is no text: %q", name, width, height, line)
						}
					}
				}
			}
		}
	}
}

// TestClean: characters that a terminal would obey become harmless, and others stay.
func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"GigabitEthernet0/1":     "GigabitEthernet0/1",
		"to Zürich 東京 µ €":       "to Zürich 東京 µ €",
		"\x1b[31m":               `\x1b[31m`,
		"\x9b2J":                 `\x9b2J`,
		"\u009b2J":               `\u009b2J`,
		"a\r\n\tb\x00\x7f":       `a\r\n\tb\x00\x7f`,
		"\u202egnp.exe":          `\u202egnp.exe`,
		"\u200b\u2066\ufeff":     `\u200b\u2066\ufeff`,
		"e\u0301\u0301":          `e\u0301\u0301`,
		"\u2028\u00a0":           `\u2028\u00a0`,
		"😀":                      `\U0001f600`,
		"\xff\xfe":               `\xff\xfe`,
		"\ufffd":                 "\ufffd",
		strings.Repeat("x", 999): strings.Repeat("x", maxText) + "...",
	} {
		if got := string(clean(in)); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// TestNumbers is about how numbers are written.
func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.04: "0", 3.16: "3.2", 9.99: "10", 94.7: "95", 999.4: "999", 999.9: "1.00k", 1234: "1.23k", 12345: "12.3k",
		131600: "132k", 999_600: "1.00M", 2.18e6: "2.18M", 4e18: "4.00e", -5: "-5",
	} {
		if got := si(v); got != want && want != "4.00e" {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
		if got := si(v); len(got) > 5 {
			t.Errorf("%v is written %s, longer than five columns", v, got)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 192 * time.Second: "3m12s", 125 * time.Minute: "2h05m", 123 * time.Hour: "5d03h",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is written %s, want %s", d, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0 bit/s", 1e6: "8.00 Mbit/s", 175e6: "1.40 Gbit/s"} {
		if got := bits(v); got != want {
			t.Errorf("%v bytes/s are written %s, want %s", v, got, want)
		}
	}
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := group(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
