//go:build !weirsafe

#include "textflag.h"

// func fetch(p *byte, n int)
TEXT ·fetch(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ n+8(FP), CX

next:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	SUBQ $64, CX
	JGT next
	RET

// func fetchHeads(mem *byte, descs *ringbuf.Desc, n int)
TEXT ·fetchHeads(SB), NOSPLIT, $0-24
	MOVQ mem+0(FP), AX
	MOVQ descs+8(FP), BX
	MOVQ n+16(FP), CX

next:
	MOVQ (BX), DX
	PREFETCHT0 (AX)(DX*1)
	ADDQ $16, BX
	SUBQ $1, CX
	JGT next
	RET
