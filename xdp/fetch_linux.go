//go:build (amd64 || arm64) && !weirsafe

package xdp

import "github.com/weirflow/weir/ringbuf"

// fetch has the CPU fetch the n bytes at p, n > 0, into the cache next to it, and does
// not wait for them. Implemented in assembly.
//
//go:noescape
func fetch(p *byte, n int)

// fetchHeads does the same with the first line of each of n packets, n > 0, whose
// descriptors are at descs, in the packet memory at mem. Those that lie outside do no harm.
//
//go:noescape
func fetchHeads(mem *byte, descs *ringbuf.Desc, n int)
