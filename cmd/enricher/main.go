// Command enricher adds AS numbers and countries to flow messages. See enricher
// -h.
package main

import (
	"os"

	"github.com/weirflow/weir/internal/app"
)

func main() {
	os.Exit(app.EnricherMain(app.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	}, os.Stdin))
}
