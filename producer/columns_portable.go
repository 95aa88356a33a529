//go:build !(amd64 || arm64) || weirsafe

package producer

// fastColumns are empty in this build.
type fastColumns struct{}

func (*Program) compileFast() {}

// appendFast is appendText.
func (p *Program) appendFast(b []byte, f *Flow, n notation, _ *fusedContext) []byte {
	return p.appendText(b, f, n)
}

func (*fusedContext) sampleColumns(*Program, *Flow, notation) {}

// sampleColumns are none in this build.
type sampleColumns struct{}

func (*Program) compileSamples() {}

func (*Producer) writeSampleColumns(*sampleParts, notation) {}
