//go:build !(amd64 || arm64) || weirsafe

package producer

// write encodes one record: see writeSafe.
func (pl *fusedPlan) write(c *fusedContext, rec, out []byte) int { return pl.writeSafe(c, rec, out) }

// writeSet would append the messages of n records in one go: not in this build.
func (p *Producer) writeSet(*fusedPlan, *fusedContext, []byte, int) (int, bool) { return 0, false }
