//go:build !weirsafe

#include "go_asm.h"
#include "textflag.h"

// Registers of writeTables:
//
//	SI  the record            DI  where the output goes on
//	BX  the next op           R11 ops of a kind that are left
//	R8  mask of seven bits in each byte, R13 its complement
//	R9  varints               R10 the fusedRun
//	R12 where the message begins, its length included
//	R14 the fusedTables       R15 the first message's end
//	X0 to X3: 64 bytes of the prefix
//	AX, CX, DX: at hand

// OP begins a kind: label is where the next one does.
#define OP(kind, next) \
	MOVL fusedTables_counts+(4*kind)(R14), R11; \
	TESTL R11, R11; \
	JEQ next

// LOOP ends it.
#define LOOP(again) \
	ADDQ $4, BX; \
	DECL R11; \
	JNE again

// VARINT writes the number in CX, below 1<<32, behind the tag in DX of 8*(bytes)
// = bits bits, unless it is zero.
#define VARINT(bits, advance) \
	PDEPQ R8, CX, AX; \
	LZCNTQ CX, CX; \
	ORQ (varintTable_more)(R9)(CX*8), AX; \
	SHLQ $bits, AX; \
	ORQ DX, AX; \
	MOVQ AX, (DI); \
	MOVBLZX advance(R9)(CX*1), CX; \
	ADDQ CX, DI

// func writeTables(t *fusedTables, r *fusedRun)
TEXT ·writeTables(SB), NOSPLIT, $0-16
	MOVQ t+0(FP), R14
	MOVQ r+8(FP), R10
	MOVQ fusedRun_src(R10), SI
	MOVQ fusedRun_buf(R10), DI
	ADDQ fusedRun_at(R10), DI
	MOVQ fusedRun_ends(R10), R15
	MOVQ fusedRun_prefix(R10), AX
	MOVOU (AX), X0
	MOVOU 16(AX), X1
	MOVOU 32(AX), X2
	MOVOU 48(AX), X3
	LEAQ ·varints(SB), R9
	MOVQ $0x7f7f7f7f7f7f7f7f, R8
	MOVQ R8, R13
	NOTQ R13

record:
	MOVQ DI, R12
	ADDQ fusedRun_room(R10), DI
	MOVOU X0, (DI)
	MOVOU X1, 16(DI)
	MOVOU X2, 32(DI)
	MOVOU X3, 48(DI)
	MOVQ fusedRun_prefixLen(R10), CX
	CMPQ CX, $64
	JHI longPrefix

prefixed:
	ADDQ CX, DI
	MOVQ fusedTables_ops(R14), BX

	OP(const_kindAddr4Tag1, addr4Tag2)
addr4Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVL (SI)(AX*1), CX
	SHLQ $16, CX
	ORQ DX, CX
	MOVQ CX, (DI)
	ADDQ $6, DI
	LOOP(addr4Tag1Next)

addr4Tag2:
	OP(const_kindAddr4Tag2, addr16Tag1)
addr4Tag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVL (SI)(AX*1), CX
	SHLQ $24, CX
	LEAQ 0x40000(CX)(DX*1), CX
	MOVQ CX, (DI)
	ADDQ $7, DI
	LOOP(addr4Tag2Next)

addr16Tag1:
	OP(const_kindAddr16Tag1, addr16Tag2)
addr16Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVOU (SI)(AX*1), X4
	MOVW DX, (DI)
	MOVOU X4, 2(DI)
	ADDQ $18, DI
	LOOP(addr16Tag1Next)

addr16Tag2:
	OP(const_kindAddr16Tag2, int1Tag1)
addr16Tag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVOU (SI)(AX*1), X4
	MOVW DX, (DI)
	MOVB $16, 2(DI)
	MOVOU X4, 3(DI)
	ADDQ $19, DI
	LOOP(addr16Tag2Next)

int1Tag1:
	OP(const_kindInt1Tag1, int1Tag2)
int1Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBLZX (SI)(AX*1), CX
	VARINT(8, varintTable_tag1)
	LOOP(int1Tag1Next)

int1Tag2:
	OP(const_kindInt1Tag2, int2Tag1)
int1Tag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBLZX (SI)(AX*1), CX
	VARINT(16, varintTable_tag2)
	LOOP(int1Tag2Next)

int2Tag1:
	OP(const_kindInt2Tag1, int2Tag2)
int2Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVWLZX (SI)(AX*1), CX
	ROLW $8, CX
	VARINT(8, varintTable_tag1)
	LOOP(int2Tag1Next)

int2Tag2:
	OP(const_kindInt2Tag2, int4Tag1)
int2Tag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVWLZX (SI)(AX*1), CX
	ROLW $8, CX
	VARINT(16, varintTable_tag2)
	LOOP(int2Tag2Next)

int4Tag1:
	OP(const_kindInt4Tag1, int4Tag2)
int4Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBELL (SI)(AX*1), CX
	VARINT(8, varintTable_tag1)
	LOOP(int4Tag1Next)

int4Tag2:
	OP(const_kindInt4Tag2, int8Tag1)
int4Tag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBELL (SI)(AX*1), CX
	VARINT(16, varintTable_tag2)
	LOOP(int4Tag2Next)

int8Tag1:
	OP(const_kindInt8Tag1, flags)
int8Tag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBEQQ (SI)(AX*1), CX
	MOVB DX, (DI)
	MOVQ CX, DX
	SHRQ $56, DX
	JNE veryLarge
	PDEPQ R8, CX, AX
	LZCNTQ CX, CX
	ORQ (varintTable_more)(R9)(CX*8), AX
	MOVQ AX, 1(DI)
	MOVBLZX (varintTable_tag1)(R9)(CX*1), CX
	ADDQ CX, DI

int8Tag1Loop:
	LOOP(int8Tag1Next)

flags:
	MOVL fusedTables_flags(R14), R11
	TESTL R11, R11
	JEQ icmp

	OP(const_kindFlag1, flag2)
flag1Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBLZX (SI)(AX*1), CX
	VARINT(16, varintTable_flag)
	LOOP(flag1Next)

flag2:
	OP(const_kindFlag2, flag4)
flag2Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVWLZX (SI)(AX*1), CX
	ROLW $8, CX
	VARINT(16, varintTable_flag)
	LOOP(flag2Next)

flag4:
	OP(const_kindFlag4, vlan)
flag4Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVBELL (SI)(AX*1), CX
	VARINT(16, varintTable_flag)
	LOOP(flag4Next)

vlan:
	OP(const_kindVLAN, some4)
vlanNext:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVWLZX (SI)(AX*1), CX
	ROLW $8, CX
	ANDL $0xfff, CX
	VARINT(16, varintTable_tag2)
	LOOP(vlanNext)

some4:
	OP(const_kindSome4, some16)
some4Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVL (SI)(AX*1), CX
	MOVL CX, AX
	SHLQ $24, CX
	LEAQ 0x40000(CX)(DX*1), CX
	MOVQ CX, (DI)
	NEGL AX // carry, unless it is zero
	SBBQ AX, AX
	ANDL $7, AX
	ADDQ AX, DI
	LOOP(some4Next)

some16:
	OP(const_kindSome16, icmp)
some16Next:
	MOVWLZX 0(BX), AX
	MOVWLZX 2(BX), DX
	MOVQ (SI)(AX*1), CX
	ORQ 8(SI)(AX*1), CX
	MOVOU (SI)(AX*1), X4
	MOVW DX, (DI)
	MOVB $16, 2(DI)
	MOVOU X4, 3(DI)
	NEGQ CX
	SBBQ CX, CX
	ANDL $19, CX
	ADDQ CX, DI
	LOOP(some16Next)

icmp:
	MOVL fusedTables_proto(R14), AX
	MOVBLZX (SI)(AX*1), CX
	MOVQ fusedTables_icmp(R14), DX
	BTQ CX, DX
	JCS icmpPort

times:
	MOVL fusedTables_start(R14), AX
	MOVL fusedTables_end(R14), CX
	MOVL fusedTables_times(R14), DX
	CMPL DX, $const_timesUptime
	JEQ timesUptime
	CMPL DX, $const_timesMillis
	JEQ timesMillis
	CMPL DX, $const_timesNTP
	JEQ timesNTP
	CMPL DX, $const_timesSecs
	JNE close
	MOVBELL (SI)(AX*1), AX
	MOVBELL (SI)(CX*1), CX
	IMULQ $1000000000, AX
	IMULQ $1000000000, CX

// putTimes writes start and end, in AX and CX, if both are at least 1<<56 and
// below 1<<63: nine bytes each.
putTimes:
	MOVQ AX, DX
	SHRQ $56, DX
	LEAL -1(DX), BX
	CMPL BX, $127
	JCC stop
	MOVB DX, 10(DI)
	MOVQ CX, DX
	SHRQ $56, DX
	LEAL -1(DX), BX
	CMPL BX, $127
	JCC stop
	MOVB DX, 21(DI)
	CMPQ AX, CX
	JHI late

timesOrdered:
	MOVW $const_tagTimeFlowStartNs, (DI)
	MOVW $const_tagTimeFlowEndNs, 11(DI)
	PDEPQ R8, AX, AX
	PDEPQ R8, CX, CX
	ORQ R13, AX
	ORQ R13, CX
	MOVQ AX, 2(DI)
	MOVQ CX, 13(DI)
	ADDQ $22, DI

close:
	CMPQ fusedRun_open(R10), $0
	JNE last
	MOVQ DI, AX
	SUBQ R12, AX
	MOVQ fusedRun_room(R10), CX
	SUBQ CX, AX
	CMPQ CX, $1
	JEQ short
	LEAQ -128(AX), CX
	CMPQ CX, $(16384-128)
	JCC otherRoom
	PDEPL R8, AX, AX
	ORL $0x80, AX
	MOVW AX, (R12)

closed:
	MOVQ fusedRun_separator(R10), AX
	MOVQ AX, (DI)
	ADDQ fusedRun_sepLen(R10), DI
	MOVQ DI, AX
	SUBQ fusedRun_buf(R10), AX
	MOVL AX, (R15)
	ADDQ $4, R15
	ADDQ fusedTables_recordLen(R14), SI
	DECQ fusedRun_records(R10)
	JNE record
	SUBQ fusedRun_buf(R10), DI
	MOVQ DI, fusedRun_at(R10)
	RET

// late is a start after the end, which counts: DX has its highest byte.
late:
	MOVQ CX, AX
	MOVB DX, 10(DI)
	MOVQ $1, fusedRun_late(R10)
	JMP timesOrdered

// icmpPort writes the two bytes of the destination port as type and code, if the
// protocol in CX is no other one with the same low bits.
icmpPort:
	CMPL CX, $64
	JCC times
	MOVL fusedTables_port(R14), R11
	MOVBLZX (SI)(R11*1), CX
	MOVL $const_tagICMPType, DX
	VARINT(16, varintTable_tag2)
	MOVBLZX 1(SI)(R11*1), CX
	MOVL $const_tagICMPCode, DX
	VARINT(16, varintTable_tag2)
	JMP times

short:
	CMPQ AX, $128
	JCC otherRoom
	MOVB AX, (R12)
	JMP closed

// otherRoom writes the record again, with room for a length, in AX, that takes another
// number of bytes than the one before.
otherRoom:
	CMPQ AX, $16384
	JCC stop
	MOVQ $3, CX
	SUBQ fusedRun_room(R10), CX
	MOVQ CX, fusedRun_room(R10)
	MOVQ R12, DI
	JMP record

last:
	SUBQ fusedRun_buf(R10), DI
	MOVQ DI, fusedRun_at(R10)
	MOVQ $0, fusedRun_records(R10)
	RET

stop:
	SUBQ fusedRun_buf(R10), R12
	MOVQ R12, fusedRun_at(R10)
	RET

longPrefix:
	MOVQ fusedRun_prefix(R10), AX
	MOVQ $64, BX
longPrefixNext:
	MOVOU (AX)(BX*1), X4
	MOVOU X4, (DI)(BX*1)
	ADDQ $16, BX
	CMPQ BX, CX
	JCS longPrefixNext
	JMP prefixed

// veryLarge is a counter of 1<<56 or more: eight bytes that go on, and its
// highest byte, in DX, as one or two.
veryLarge:
	PDEPQ R8, CX, AX
	ORQ R13, AX
	MOVQ AX, 1(DI)
	PDEPL R8, DX, AX
	MOVL DX, CX
	SHRL $7, CX
	SHLL $7, CX
	ORL CX, AX
	MOVL AX, 9(DI)
	SHRL $7, CX
	LEAQ 10(DI)(CX*1), DI
	JMP int8Tag1Loop

// Milliseconds of 44 bits and more may be beyond the range of nanoseconds.
timesMillis:
	MOVBEQQ (SI)(AX*1), AX
	MOVBEQQ (SI)(CX*1), CX
	MOVQ AX, DX
	ORQ CX, DX
	SHRQ $43, DX
	JNE stop
	IMULQ $1000000, AX
	IMULQ $1000000, CX
	JMP putTimes

// NTP(reg) makes Unix nanoseconds of a timestamp, as ntpToUnix does.
#define NTP(reg, before) \
	MOVQ reg, DX; \
	SHRQ $32, DX; \
	MOVL reg, reg; \
	IMULQ $1000000000, reg; \
	SHRQ $32, reg; \
	SUBQ R11, DX; \
	JCS before; \
	IMULQ $1000000000, DX; \
	ADDQ DX, reg

timesNTP:
	MOVL $const_ntpEpoch, R11
	MOVBEQQ (SI)(AX*1), AX
	MOVBEQQ (SI)(CX*1), CX
	NTP(AX, stop)
	NTP(CX, stop)
	JMP putTimes

// UPTIME(reg) makes Unix nanoseconds of a time in milliseconds on the uptime
// clock, as uptimeToUnix does: export time in R11, uptime in BX.
#define UPTIME(reg) \
	MOVL reg, DX; \
	SUBL BX, DX; \
	SUBL BX, reg; \
	NEGL reg; \
	IMULQ $1000000, reg; \
	NEGQ reg; \
	CMPL DX, $const_maxAheadMs; \
	JHI 3(PC); \
	IMULQ $1000000, DX; \
	MOVQ DX, reg; \
	ADDQ R11, reg

timesUptime:
	MOVQ fusedRun_exportNs(R10), R11
	MOVL fusedRun_uptimeMs(R10), BX
	MOVBELL (SI)(AX*1), AX
	MOVBELL (SI)(CX*1), CX
	UPTIME(AX)
	UPTIME(CX)
	JMP putTimes
