//go:build !weirsafe

#include "textflag.h"

// func fetch(p *byte, n int)
TEXT ·fetch(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD n+8(FP), R1

next:
	PRFM (R0), PLDL1KEEP
	ADD $64, R0
	SUBS $64, R1
	BGT next
	RET

// func fetchHeads(mem *byte, descs *ringbuf.Desc, n int)
TEXT ·fetchHeads(SB), NOSPLIT, $0-24
	MOVD mem+0(FP), R0
	MOVD descs+8(FP), R1
	MOVD n+16(FP), R2

next:
	MOVD (R1), R3
	ADD R0, R3, R3
	PRFM (R3), PLDL1KEEP
	ADD $16, R1
	SUBS $1, R2
	BGT next
	RET
