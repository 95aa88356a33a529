//go:build !amd64 || weirsafe

package producer

func prefetch(*byte) {}

// writeSamples is there on machines with fastBits only.
func writeSamples(*sampleRun) {}
