package bpf

// Needs clang and llvm-strip, and none of the kernel's or libbpf's headers. With
// the same clang the output is the same to the byte wherever it is made.
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go@v0.22.0 -target bpfel -tags linux -go-package bpf -no-global-types -cflags "-O2 -g -Wall -Wextra -Werror -mcpu=v3 -Iheaders" weir weir.bpf.c
