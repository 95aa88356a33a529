//go:build !amd64 || weirsafe

package producer

// fastBits says that encoders are done in assembly: not in this build.
const fastBits = false
