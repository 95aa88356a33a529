// Command weir collects NetFlow, IPFIX and sFlow. See weir help.
package main

import (
	"os"

	"github.com/weirflow/weir/internal/app"
)

func main() {
	os.Exit(app.Main(app.Env{
		Args:    os.Args[1:],
		Environ: os.Environ(),
		Stdout:  os.Stdout,
		Stderr:  os.Stderr,
	}))
}
