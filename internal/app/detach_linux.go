package app

import (
	"fmt"

	"github.com/weirflow/weir/xdp"
)

// detachLeft takes what a weir that has ended left on an interface off it.
func detachLeft(name string) (string, error) {
	h, err := xdp.DetachLeft(name)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: detached %s", name, h), nil
}
