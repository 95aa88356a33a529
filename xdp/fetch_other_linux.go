//go:build (!amd64 && !arm64) || weirsafe

package xdp

import "github.com/weirflow/weir/ringbuf"

// fetch would only make things faster.
func fetch(*byte, int) {}

// fetchHeads too.
func fetchHeads(*byte, *ringbuf.Desc, int) {}
