//go:build !(amd64 || arm64) || weirsafe

package producer

// fusedJSON says that this build has no writer of JSON from plans: all records
// take the generic path.
const fusedJSON = false

func (*Producer) writeJSON(*fusedPlan, *jsonPlan, *fusedContext, []byte) int { return 0 }

// appendJSON is AppendJSON.
func appendJSON(dst []byte, f *Flow) []byte { return AppendJSON(dst, f) }
