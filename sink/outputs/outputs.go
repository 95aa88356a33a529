// Package outputs is the registry of outputs: one row for each that weir is built with.
package outputs

import (
	"github.com/weirflow/weir/sink/file"
	"github.com/weirflow/weir/sink/kafka"
	"github.com/weirflow/weir/sink/output"
)

// All returns the rows. The first is the default of -transport.
func All() []output.Kind {
	return []output.Kind{
		file.Kind(),
		kafka.Kind(),
	}
}
