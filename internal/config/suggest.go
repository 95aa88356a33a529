package config

import "strings"

// maxSuggest is the length of the longest name that a suggestion is looked
// for.
const maxSuggest = 64

// nearest returns the known name closest to name, or "" when none is close
// enough to be what was meant. A name that lacks only its leading sections
// (file.sep) counts as close.
func nearest(name string, known []string) string {
	if name == "" || len(name) > maxSuggest {
		return ""
	}
	lower := strings.ToLower(name)
	best, bestCost := "", 2+len(name)/4
	for _, k := range known {
		cost := distance(lower, strings.ToLower(k))
		if len(name) > 2 && strings.HasSuffix(strings.ToLower(k), "."+lower) {
			cost = 1
		}
		if cost < bestCost {
			best, bestCost = k, cost
		}
	}
	if best == "" {
		// A key below an option that has none: format.type.
		for _, k := range known {
			if strings.HasPrefix(lower, k+".") && len(k) > len(best) {
				best = k
			}
		}
	}
	return best
}

// distance is the number of insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// unknown words the problem of a name that is not known.
func unknown(what, prefix, name string, known []string) string {
	if n := nearest(name, known); n != "" {
		return "unknown " + what + "; did you mean " + prefix + n + "?"
	}
	return "unknown " + what
}
