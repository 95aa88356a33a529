package retain

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2046, 11, 23, 9, 0, 0, 0, time.UTC)

// series returns files of these sizes, an hour apart, the first at start.
func series(sizes ...int64) []File {
	files := make([]File, len(sizes))
	for i, n := range sizes {
		files[i] = File{Name: string(rune('a' + i)), Time: start.Add(time.Duration(i) * time.Hour), Bytes: n, Frees: n}
	}
	return files
}

func TestTrim(t *testing.T) {
	four := series(10, 20, 30, 40)
	linked := slices.Clone(four)
	linked[0].Frees = 0
	for _, tc := range []struct {
		what    string
		limits  Limits
		files   []File
		missing int64
		stays   string // files that cannot be deleted
		want    string
	}{
		{"no limit", Limits{}, four, 0, "", ""},
		{"count", Limits{Count: 3}, four, 0, "", "a=count"},
		{"count reached", Limits{Count: 4}, four, 0, "", ""},
		{"bytes", Limits{Bytes: 70}, four, 0, "", "a=bytes b=bytes"},
		{"bytes reached", Limits{Bytes: 100}, four, 0, "", ""},
		{"bytes of the newest", Limits{Bytes: 39}, four, 0, "", "a=bytes b=bytes c=bytes d=bytes"},
		{"age", Limits{Age: 2 * time.Hour}, four, 0, "", "a=age b=age"},
		{"age not reached", Limits{Age: 3*time.Hour + 1}, four, 0, "", ""},
		{"free", Limits{}, four, 11, "", "a=free b=free"},
		{"free, to the byte", Limits{}, four, 10, "", "a=free"},
		{"free more than there is", Limits{}, four, 1000, "", "a=free b=free c=free d=free"},
		{"free where the first frees nothing", Limits{}, linked, 11, "", "b=free"},
		{"each after the other", Limits{Count: 3, Bytes: 80}, four, 31, "", "a=count b=bytes c=free"},
		{"count with one that stays", Limits{Count: 3}, four, 0, "a", "a=count b=count"},
		{"bytes with one that stays", Limits{Bytes: 89}, four, 0, "a", "a=bytes b=bytes"},
		{"free with one that stays", Limits{}, four, 11, "a", "a=free b=free"},
		{"all stay", Limits{Age: time.Hour}, four, 0, "abcd", "a=age b=age c=age"},
		{"none there", Limits{Count: 1, Bytes: 1, Age: 1}, nil, 1, "", ""},
	} {
		var got []string
		tc.limits.Trim(tc.files, start.Add(3*time.Hour), tc.missing, func(f File, why Reason) bool {
			got = append(got, fmt.Sprintf("%s=%v", f.Name, why))
			return !strings.Contains(tc.stays, f.Name)
		})
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: deleted %q, want %q", tc.what, s, tc.want)
		}
	}
}

// TestTrimKeepsTheNewest compares with limits as they are defined: what stays is the
// longest newest part of the series that keeps them.
func TestTrimKeepsTheNewest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var sizes []int64
		for range rng.IntN(12) {
			sizes = append(sizes, 1+rng.Int64N(100))
		}
		files := series(sizes...)
		l := Limits{Count: rng.IntN(8), Bytes: rng.Int64N(400), Age: time.Duration(rng.IntN(10)) * time.Hour}
		now, missing := start.Add(10*time.Hour), max(rng.Int64N(200)-100, 0)
		left := files
		l.Trim(files, now, missing, func(f File, _ Reason) bool {
			if f.Name != left[0].Name {
				t.Fatalf("deletes %s while %s is there", f.Name, left[0].Name)
			}
			left = left[1:]
			return true
		})
		keeps := func(files, gone []File) bool {
			sum, freed := int64(0), int64(0)
			for _, f := range files {
				sum += f.Bytes
			}
			for _, f := range gone {
				freed += f.Bytes
			}
			return (l.Count == 0 || len(files) <= l.Count) && (l.Bytes == 0 || sum <= l.Bytes) &&
				(l.Age == 0 || len(files) == 0 || now.Sub(files[0].Time) < l.Age) && (freed >= missing || len(files) == 0)
		}
		n := len(files) - len(left)
		if !keeps(left, files[:n]) {
			t.Fatalf("%+v, %d missing: %d of %v stay", l, missing, len(left), sizes)
		}
		if n > 0 && keeps(files[n-1:], files[:n-1]) {
			t.Fatalf("%+v, %d missing: only %d of %v stay", l, missing, len(left), sizes)
		}
	}
}
