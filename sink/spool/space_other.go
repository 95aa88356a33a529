//go:build !unix

package spool

import (
	"math"
	"os"

	"github.com/weirflow/weir/internal/create"
)

// lockDir opens the lock file. There is no lock on this system: it is up to
// the operator that one process uses the directory.
func lockDir(path string) (*os.File, error) {
	return create.Own(path, 0o640)
}

// space does not know on this system: the bound is the spool's own size.
func space(string) (free, size int64, err error) { return math.MaxInt64, math.MaxInt64, nil }

func spaceError(err error) error { return err }
