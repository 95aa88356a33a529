//go:build !(amd64 || arm64) || weirsafe

package producer

import "github.com/weirflow/weir/decoders/sflow"

// fusedSamples says that this build has no writeSample: all samples go by way
// of a Flow.
const fusedSamples = false

func (*Producer) sflowPrefix(*sflow.Header) {}

func (*Producer) writeSampleText(*sampleParts) {}

func (*Producer) writeSample(*sampleParts) {}
