package netflow_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weirflow/weir/decoders/netflow"
)

// TestLayouts checks what all rows have in common: columns that lie in the record
// and apart from each other, names that differ, and indices that count.
func TestLayouts(t *testing.T) {
	for i, l := range netflow.Layouts() {
		if l.Index != i {
			t.Errorf("layout %d has index %d", i, l.Index)
		}
		used, names := make([]bool, l.Len), map[string]bool{}
		for _, c := range l.Columns {
			if c.Len < 1 || c.Offset+c.Len > l.Len || c.Address && c.Len != 4 || c.Name == "" || names[c.Name] {
				t.Errorf("layout %d %s: column %+v", i, l.Name, c)
				continue
			}
			names[c.Name] = true
			for j := range c.Len {
				if used[c.Offset+j] {
					t.Errorf("layout %d %s: column %+v lies on another", i, l.Name, c)
				}
				used[c.Offset+j] = true
			}
		}
	}
	for i := range netflow.Versions {
		v := &netflow.Versions[i]
		if netflow.VersionOf(v.Number) != v || v.HeaderLen < max(v.Sequence+4, v.Engine+2, v.Sampling+2, v.Aggregation+2) {
			t.Errorf("version %+v", v)
		}
	}
}

// TestSchemes compares the layouts of v8 with their description in testdata/v8.txt.
func TestSchemes(t *testing.T) {
	text, err := os.ReadFile("testdata/v8.txt")
	if err != nil {
		t.Fatal(err)
	}
	schemes := netflow.VersionOf(netflow.V8).Layouts
	n := 0
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if words[0] == "#" || line[0] == '#' {
			continue
		}
		if n++; words[0] != fmt.Sprint(n) || n > len(schemes) {
			t.Fatalf("line %q", line)
		}
		var got []string
		end := 0
		l := schemes[n-1]
		for _, c := range slices.SortedFunc(slices.Values(l.Columns), func(a, b netflow.Column) int { return a.Offset - b.Offset }) {
			if c.Offset > end {
				got = append(got, fmt.Sprintf("-/%d", c.Offset-end))
			}
			got = append(got, fmt.Sprintf("%s/%d", c.Name, c.Len))
			end = c.Offset + c.Len
		}
		if l.Len > end {
			got = append(got, fmt.Sprintf("-/%d", l.Len-end))
		}
		want := strings.ReplaceAll(strings.Join(words[1:], " "), "-/1 -/2", "-/3")
		if strings.Join(got, " ") != want {
			t.Errorf("scheme %d\n got %s\nwant %s", n, strings.Join(got, " "), want)
		}
	}
	if n != len(schemes) {
		t.Errorf("%d schemes are described, there are %d", n, len(schemes))
	}
}
