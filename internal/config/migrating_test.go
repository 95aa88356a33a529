package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestMigratingDocument looks that the table of flags has every flag of goflow2
// on its left, and names options that there are on its right.
func TestMigratingDocument(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrating-from-goflow2.md"))
	if err != nil {
		t.Fatal(err)
	}
	flag := regexp.MustCompile("`-([a-z0-9.-]+)")
	left := map[string]bool{}
	options := newConfig().options()
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`-") {
			continue
		}
		for _, m := range flag.FindAllStringSubmatch(cells[1], -1) {
			left[m[1]] = true
			old := findOld(m[1])
			switch {
			case find(options, m[1]) != nil, m[1] == "v":
				if !strings.Contains(cells[2], "the same") && !strings.Contains(cells[2], "`-"+m[1]+"`") {
					t.Errorf("-%s is an option, and the table has %s", m[1], cells[2])
				}
			case old == nil:
				t.Errorf("-%s is unknown", m[1])
			case old.to != "" && !strings.Contains(cells[2], "`-"+old.to+"`"):
				t.Errorf("-%s is called -%s, and the table has %s", m[1], old.to, cells[2])
			case old.noEffect != "" && strings.TrimSpace(cells[2]) != "none":
				t.Errorf("-%s has no effect, and the table has %s", m[1], cells[2])
			}
		}
		for _, m := range flag.FindAllStringSubmatch(cells[2], -1) {
			if find(options, m[1]) == nil && findOld(m[1]) == nil && m[1] != "v" && m[1] != "h" {
				t.Errorf("the table names -%s, which is no option", m[1])
			}
		}
	}
	for name := range goflow2Flags() {
		if !left[name] && !strings.HasPrefix(name, "db.") && name != "samplingrate" {
			t.Errorf("-%s is not in the table", name)
		}
	}
}
