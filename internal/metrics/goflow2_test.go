package metrics

import (
	"slices"
	"testing"
)

// TestTemplateShares: no exporter's templates take the metrics of another's.
func TestTemplateShares(t *testing.T) {
	for _, test := range []struct {
		name   string
		counts []int
		limit  int
		want   []int
	}{
		{"none", nil, 160, []int{}},
		{"few", []int{3, 16, 0}, 160, []int{3, 16, 0}},
		{"some more", []int{20, 20, 20}, 1600, []int{20, 20, 20}},
		{"one floods, first", []int{30000, 5, 16, 20}, 1600, []int{16 + 193, 5, 16, 20}},
		{"one floods, last", []int{5, 16, 20, 30000}, 1600, []int{5, 16, 20, 16 + 192}},
		{"all flood", []int{30000, 30000, 30000}, 48, []int{16, 16, 16}},
		{"hardly any", []int{30000, 30000}, 20, []int{16, 4}},
	} {
		got := templateShares(test.counts, test.limit)
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
		sum := 0
		for i, n := range got {
			sum += n
			if len(test.counts)*maxTemplateSeries <= test.limit && n < min(test.counts[i], maxTemplateSeries) {
				t.Errorf("%s: exporter %d has %d of %d", test.name, i, n, test.counts[i])
			}
		}
		if sum > test.limit {
			t.Errorf("%s: %d series, limit %d", test.name, sum, test.limit)
		}
	}
}
