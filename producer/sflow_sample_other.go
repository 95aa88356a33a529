//go:build !amd64 || weirsafe

package producer

const usualLen = 0

// sampleMessage is there on machines with fastBits only.
func sampleMessage(_, _ *byte, _ int, _ *fusedContext, _, _, _, _ uint32) int { return 0 }
