//go:build !weirsafe

package producer

import "testing"

// TestGoTwins does what the tests of the encoders do without those in assembly,
// as on a CPU that lacks their instructions.
func TestGoTwins(t *testing.T) {
	if !fastBits {
		t.Log("this CPU has no other way")
	}
	defer func(before bool) { fastBits = before }(fastBits)
	fastBits = false
	t.Run("records", TestFusedTwins)
	t.Run("fixed", TestFixedTwins)
	t.Run("sets", TestFusedSets)
}
