//go:build !amd64 || weirsafe

package producer

// writeSamples is there on machines with fastBits only.
func writeSamples(*sampleRun) {}
