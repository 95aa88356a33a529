//go:build !weirsafe

package producer

// write is writeSafe without bounds checks: see writeGo.
func (pl *fusedPlan) write(c *fusedContext, rec, out []byte) int { return pl.writeGo(c, rec, out) }

// writeSet would append the messages of n records in one go: not on this
// machine.
func (p *Producer) writeSet(*fusedPlan, *fusedContext, []byte, int) (int, bool) { return 0, false }
