//go:build !weirsafe

#include "go_asm.h"
#include "sflow_quick_amd64.h"
#include "textflag.h"

// func writeSamples(r *sampleRun)
TEXT ·writeSamples(SB), NOSPLIT, $72-8
	MOVQ r+0(FP), R13
	MOVQ sampleRun_body(R13), SI
	MOVQ sampleRun_size(R13), AX
	ADDQ SI, AX
	MOVQ AX, bodyEnd-32(SP)
	MOVQ sampleRun_w(R13), DI
	MOVQ sampleRun_room(R13), AX
	ADDQ DI, AX
	SUBQ sampleRun_need(R13), AX
	MOVQ AX, lastStart-40(SP)
	LEAQ ·quickTable(SB), R10
	MOVQ $0x0f7f7f7f7f00, R8
	MOVQ $0x0f7f7f7f7f0000, R9

	// R13 is r from here to the sample's first record, and at its end.
sample:
	// What the second sample from here has, at their usual length. There is no
	// fault if that is behind the datagram.
	PREFETCHT0 640(SI)
	PREFETCHT0 704(SI)
	PREFETCHT0 768(SI)
	PREFETCHT0 832(SI)
	PREFETCHT0 896(SI)
	PREFETCHT0 960(SI)

	MOVQ    SI, begun-48(SP)
	MOVQ    DI, start-56(SP)
	MOVQ    sampleRun_done(R13), R12
	CMPQ    R12, sampleRun_most(R13)
	JCC     stop
	CMPQ    DI, lastStart-40(SP)
	JHI     stop
	MOVQ    bodyEnd-32(SP), DX
	SUBQ    SI, DX
	SUBQ    $8, DX
	JCS     stop
	MOVBELL (SI), AX
	MOVBELL 4(SI), R14
	ADDQ    $8, SI
	CMPQ    R14, DX
	JHI     other
	LEAQ    (SI)(R14*1), R11
	LEAQ    3(R14), R15
	ANDQ    $-4, R15
	CMPQ    R15, DX         // the last sample may lack its padding
	CMOVQHI DX, R15
	ADDQ    SI, R15
	MOVQ    R15, next-64(SP)
	SHRQ    $3, R14         // records that there is room for
	CMPQ    R14, $4         // less than the 32 bytes that all have
	JCS     other
	MOVL    $0, has-8(SP)
	IMULQ   $SampleFact__size, R12
	ADDQ    sampleRun_facts(R13), R12
	MOVB    $const_factFlowSample, SampleFact_Kind(R12)
	MOVBELL (SI), BX
	MOVL    BX, SampleFact_Sequence(R12)
	MOVBELL 4(SI), DX
	CMPL    AX, $const_formatFlow
	JNE     expanded

	MOVQ    DX, CX
	SHRQ    $24, CX
	SHLQ    $32, CX
	ANDL    $0xffffff, DX
	ORQ     CX, DX
	MOVQ    DX, SampleFact_Source(R12)
	MOVL    $0, expanded-68(SP)
	MOVBELL 28(SI), AX
	MOVL    AX, left-4(SP)
	CMPQ    AX, R14
	CMOVQHI R14, AX
	MOVL    AX, records-16(SP)
	MOVBELL 8(SI), AX
	MOVL    AX, SampleFact_Rate(R12)
	MOVBELL 20(SI), R12
	MOVBELL 24(SI), R14
	ADDQ    $32, SI
	JMP     message

expanded:
	CMPL    AX, $const_formatFlowExpanded
	JNE     other
	LEAQ    44(SI), CX
	CMPQ    CX, R11
	JHI     other
	SHLQ    $32, DX
	MOVBELL 8(SI), CX
	ORQ     CX, DX
	MOVQ    DX, SampleFact_Source(R12)
	MOVL    $1, expanded-68(SP)
	MOVBELL 40(SI), AX
	MOVL    AX, left-4(SP)
	CMPQ    AX, R14
	CMOVQHI R14, AX
	MOVL    AX, records-16(SP)
	MOVBELL 12(SI), AX
	MOVL    AX, SampleFact_Rate(R12)
	MOVL    24(SI), CX
	ORL     32(SI), CX
	JNE     other           // not the indexes of interfaces
	MOVBELL 28(SI), R12
	MOVBELL 36(SI), R14
	ADDQ    $44, SI

	// AX is the rate, R12 the input, R14 the output.
message:
	MOVL    $const_interfaceInternal, CX
	CMPL    R12, CX
	JCC     other           // no index, or of the other format
	CMPL    R14, CX
	JCC     other
	ADDQ    $2, DI          // for the length
	MOVQ    sampleRun_prefix(R13), DX
	MOVQ    sampleRun_prefixLen(R13), BX
	ADDQ    DI, BX

prefix:
	MOVUPS  (DX), X0
	MOVUPS  16(DX), X1
	MOVUPS  X0, (DI)
	MOVUPS  X1, 16(DI)
	ADDQ    $32, DX
	ADDQ    $32, DI
	CMPQ    DI, BX
	JCS     prefix
	MOVQ    BX, DI

	TESTL   AX, AX
	CMOVLEQ sampleRun_fallback(R13), AX
	MOVL    sampleRun_forced(R13), CX
	TESTL   CX, CX
	CMOVLNE CX, AX
	FIELD1(const_tagSamplingRate)
	MOVL    R12, AX
	FIELD2(const_tagInIf)
	MOVL    R14, AX
	FIELD2(const_tagOutIf)
	JMP     record

after:
	MOVQ    R15, SI

record:
	SUBL    $1, left-4(SP)
	JCS     done
	MOVQ    R11, DX
	SUBQ    SI, DX
	SUBQ    $8, DX
	JCS     other
	MOVBELL (SI), AX
	MOVBELL 4(SI), R14
	ADDQ    $8, SI
	CMPQ    R14, DX
	JHI     other
	LEAQ    3(R14), R15
	ANDQ    $-4, R15
	CMPQ    R15, DX         // the last record may lack its padding
	CMOVQHI DX, R15
	ADDQ    SI, R15
	CMPL    AX, $const_formatRaw
	JEQ     header
	CMPL    AX, $const_formatSwitch
	JEQ     switch
	CMPL    AX, $const_formatRouter
	JEQ     router
	CMPL    AX, $const_formatGateway
	JEQ     gateway
	MOVL    $const_recordPlaces, CX
	CMPL    AX, CX
	CMOVLHI CX, AX
	LEAQ    ·recordWays(SB), CX
	CMPB    (CX)(AX*1), $0
	JNE     other           // it fills fields that are not known here
	JMP     after

done:
	CMPQ    SI, R11
	JNE     other
	TESTL   $1, has-8(SP)
	JEQ     other
	MOVQ    r+0(FP), R13
	MOVQ    start-56(SP), BX
	MOVQ    DI, AX
	SUBQ    BX, AX
	SUBQ    $2, AX
	CMPQ    AX, $0x80
	JCS     near
	MOVL    AX, CX
	ORL     $0x80, AX
	SHRL    $7, CX
	MOVB    AX, (BX)
	MOVB    CX, 1(BX)

separator:
	MOVQ    sampleRun_separator(R13), AX
	MOVQ    AX, (DI)
	ADDQ    sampleRun_separatorLen(R13), DI
	MOVQ    sampleRun_done(R13), CX
	MOVQ    DI, AX
	SUBQ    sampleRun_w(R13), AX
	ADDL    sampleRun_base(R13), AX
	MOVQ    sampleRun_ends(R13), BX
	MOVL    AX, (BX)(CX*4)
	INCQ    sampleRun_done(R13)
	IMULQ   $SampleFact__size, CX
	ADDQ    sampleRun_facts(R13), CX
	MOVL    SampleFact_Rate(CX), AX
	CMPL    AX, $1
	ADCL    $0, sampleRun_unrated(R13)
	MOVL    expanded-68(SP), CX
	INCL    sampleRun_samples(R13)(CX*4)
	MOVL    records-16(SP), AX
	ADDL    AX, sampleRun_records(R13)(CX*4)
	MOVQ    next-64(SP), SI
	JMP     sample

	// The length takes one byte: the message moves down by one.
near:
	MOVB    AX, (BX)

move:
	MOVUPS  2(BX), X0
	MOVUPS  X0, 1(BX)
	ADDQ    $16, BX
	CMPQ    BX, DI
	JCS     move
	DECQ    DI
	JMP     separator

other:
	MOVQ    r+0(FP), R13
	MOVQ    begun-48(SP), SI
	MOVQ    start-56(SP), DI

stop:
	SUBQ    sampleRun_body(R13), SI
	MOVQ    SI, sampleRun_read(R13)
	SUBQ    sampleRun_w(R13), DI
	MOVQ    DI, sampleRun_written(R13)
	RET

header:
	BTSL    $0, has-8(SP)
	JCS     other
	SUBQ    $16, R14
	JCS     other
	CMPL    (SI), BIG1      // Ethernet
	JNE     other
	MOVBELL 4(SI), AX
	FIELD1(const_tagBytes)
	MOVBELL 12(SI), CX
	CMPQ    CX, R14
	CMOVQCS CX, R14         // bytes of the frame
	CMPQ    R14, $42        // Ethernet, IPv4, UDP
	JCS     other
	ADDQ    $16, SI
	MOVQ    $0x3f7f7f7f7f7f7f, DX
	MOVBEQQ (SI), AX
	SHRQ    $16, AX
	MAC(const_tagDstMAC)
	MOVBEQQ 4(SI), AX
	MAC(const_tagSrcMAC)

	// DX becomes the index of the stack of headers.
	XORL    DX, DX
	MOVWLZX 12(SI), CX
	CMPL    CX, VLAN
	JNE     untagged
	MOVWLZX 14(SI), AX
	ROLW    $8, AX
	ANDL    $0xfff, AX
	FIELD2(const_tagVLANID)
	MOVWLZX 16(SI), CX
	ADDQ    $4, SI
	SUBQ    $4, R14
	MOVL    $const_stackVLAN, DX

untagged:
	CMPL    CX, IPV4
	JNE     ipv6
	SUBQ    $34, R14
	CMPQ    R14, $8         // signed: the frame may be 38 bytes long behind a tag
	JLT     other
	ADDQ    $14, SI
	CMPB    (SI), $0x45
	JNE     other
	TESTW   $0xff1f, 6(SI)  // the offset of a fragment
	JNE     other
	MOVBLZX 1(SI), AX
	FIELD2(const_tagIPTOS)
	MOVWLZX 4(SI), AX
	ROLW    $8, AX
	FIELD2(const_tagFragmentID)
	MOVBLZX 6(SI), AX
	SHRL    $5, AX
	FIELD2(const_tagIPFlags)
	MOVBLZX 8(SI), AX
	FIELD2(const_tagIPTTL)
	MOVL    12(SI), AX
	MOVL    16(SI), BX
	SHLQ    $16, AX
	SHLQ    $16, BX
	ORQ     $ADDR4(const_tagSrcAddr), AX
	ORQ     $ADDR4(const_tagDstAddr), BX
	MOVQ    AX, (DI)
	MOVQ    BX, 6(DI)
	ADDQ    $12, DI
	MOVBLZX 9(SI), CX
	ADDQ    $20, SI
	JMP     transport

ipv6:
	CMPL    CX, IPV6
	JNE     other
	SUBQ    $54, R14
	CMPQ    R14, $8
	JLT     other
	ADDQ    $14, SI
	MOVBELL (SI), AX
	MOVL    AX, CX
	SHRL    $28, CX
	CMPL    CX, $6
	JNE     other
	ANDL    $0xfffff, AX
	FIELD2(const_tagIPv6FlowLabel)
	MOVBELL (SI), AX
	SHRL    $20, AX
	MOVBLZX AX, AX
	FIELD2(const_tagIPTOS)
	MOVBLZX 7(SI), AX
	FIELD2(const_tagIPTTL)
	MOVUPS  8(SI), X0
	MOVUPS  24(SI), X1
	MOVW    $ADDR16(const_tagSrcAddr), (DI)
	MOVUPS  X0, 2(DI)
	MOVW    $ADDR16(const_tagDstAddr), 18(DI)
	MOVUPS  X1, 20(DI)
	ADDQ    $36, DI
	ORL     $const_stackV6, DX
	MOVBLZX 6(SI), CX
	ADDQ    $40, SI

	// CX is the protocol, SI its header, of which R14 bytes are there.
transport:
	CMPL    CX, $6
	JNE     short
	CMPQ    R14, $20
	JCS     other
	MOVBELL (SI), R14
	MOVL    R14, AX
	SHRL    $16, AX
	FIELD2(const_tagSrcPort)
	MOVWLZX R14, AX
	FIELD2(const_tagDstPort)
	MOVBLZX 13(SI), AX
	FIELD2(const_tagTCPFlags)
	MOVBLZX 12(SI), AX      // the header's words are in the upper half
	SHRL    $4, AX
	SHLL    $2, AX
	CMPL    AX, $20
	JCS     other
	STACK
	MOVB    AX, -1(DI)
	JMP     after

short:
	MOVBELL (SI), R14
	CMPL    CX, $17
	JNE     icmp
	MOVBLZX R14, CX
	CMPW    R14, quickTables_ports(R10)(CX*2)
	JEQ     other           // it may carry a tunnel
	MOVL    R14, AX
	SHRL    $16, AX
	MOVBLZX AX, CX
	CMPW    AX, quickTables_ports(R10)(CX*2)
	JEQ     other
	FIELD2(const_tagSrcPort)
	MOVWLZX R14, AX
	FIELD2(const_tagDstPort)
	ORL     $const_stackUDP, DX
	JMP     stack

icmp:
	ORL     $const_stackICMP, DX
	CMPL    CX, $1
	JEQ     icmpFields
	ORL     $const_stackICM6, DX
	CMPL    CX, $58
	JNE     other

icmpFields:
	MOVL    R14, AX
	SHRL    $24, AX
	FIELD2(const_tagICMPType)
	MOVL    R14, AX
	SHRL    $16, AX
	MOVBLZX AX, AX
	FIELD2(const_tagICMPCode)

stack:
	STACK
	JMP     after

switch:
	BTSL    $1, has-8(SP)
	JCS     other
	CMPQ    R14, $16
	JCS     other
	MOVBELL (SI), AX
	CMPL    AX, $0xfff
	JHI     other
	FIELD2(const_tagSrcVLAN)
	MOVBELL 8(SI), AX
	CMPL    AX, $0xfff
	JHI     other
	FIELD2(const_tagDstVLAN)
	JMP     after

router:
	BTSL    $2, has-8(SP)
	JCS     other
	CMPQ    R14, $12        // no address, two lengths
	JCS     other
	MOVL    (SI), AX
	CMPL    AX, BIG1
	JNE     router6
	CMPQ    R14, $16
	JCS     other
	MOVL    4(SI), AX
	SHLQ    $16, AX
	ORQ     $ADDR4(const_tagNextHop), AX
	MOVQ    AX, (DI)
	ADDQ    $6, DI
	ADDQ    $8, SI
	JMP     lengths

router6:
	CMPL    AX, BIG2
	JNE     router0
	CMPQ    R14, $28
	JCS     other
	MOVUPS  4(SI), X0
	MOVW    $ADDR16(const_tagNextHop), (DI)
	MOVUPS  X0, 2(DI)
	ADDQ    $18, DI
	ADDQ    $20, SI
	JMP     lengths

router0:
	TESTL   AX, AX
	JNE     other
	ADDQ    $4, SI

lengths:
	MOVBELL (SI), AX
	FIELD2(const_tagSrcNet)
	MOVBELL 4(SI), AX
	FIELD2(const_tagDstNet)
	JMP     after

gateway:
	BTSL    $3, has-8(SP)
	JCS     other
	ADDQ    SI, R14         // the record's end
	LEAQ    28(SI), CX      // no address, the ASes, no path, no communities, preference
	CMPQ    CX, R14
	JHI     other
	MOVL    (SI), AX
	CMPL    AX, BIG1
	JNE     gateway6
	ADDQ    $4, CX
	CMPQ    CX, R14
	JHI     other
	MOVL    4(SI), AX
	SHLQ    $24, AX
	MOVL    $(const_tagBGPNextHop | 4<<16), BX
	ORQ     BX, AX
	MOVQ    AX, (DI)
	ADDQ    $7, DI
	ADDQ    $8, SI
	JMP     ases

gateway6:
	CMPL    AX, BIG2
	JNE     gateway0
	ADDQ    $16, CX
	CMPQ    CX, R14
	JHI     other
	MOVUPS  4(SI), X0
	MOVL    $(const_tagBGPNextHop | 16<<16), (DI)
	MOVUPS  X0, 3(DI)
	ADDQ    $19, DI
	ADDQ    $20, SI
	JMP     ases

gateway0:
	TESTL   AX, AX
	JNE     other
	ADDQ    $4, SI

ases:
	MOVBELL (SI), DX        // the agent's, and so the destination's without a path
	MOVBELL 4(SI), AX
	TESTL   AX, AX
	CMOVLEQ DX, AX
	FIELD1(const_tagSrcAS)
	MOVBELL 12(SI), R12     // segments
	ADDQ    $16, SI
	MOVL    $0, firstAS-12(SP)
	SHRQ    $8, R8
	MOVW    $const_tagASPath, (DI)
	ADDQ    $3, DI
	MOVQ    DI, begin-24(SP)

segment:
	SUBL    $1, R12
	JCS     path
	MOVQ    R14, AX
	SUBQ    SI, AX
	SUBQ    $8, AX
	JCS     other
	SHRQ    $2, AX
	MOVBELL 4(SI), CX       // numbers
	ADDQ    $8, SI
	CMPQ    CX, AX
	JHI     other
	TESTL   CX, CX
	JEQ     segment
	MOVQ    DI, AX
	SUBQ    begin-24(SP), AX
	JNE     further
	MOVBELL (SI), BX
	MOVL    BX, firstAS-12(SP)

further:
	LEAQ    (SI)(CX*4), R13
	LEAQ    (CX)(CX*4), CX
	ADDQ    CX, AX
	CMPQ    AX, $127        // else the list's length may take two bytes
	JHI     other

number:
	ELEMENT
	CMPQ    SI, R13
	JCS     number
	JMP     segment

path:
	MOVQ    DI, AX
	MOVQ    begin-24(SP), BX
	SUBQ    BX, AX
	MOVB    AX, -1(BX)
	LEAQ    -3(DI), CX
	TESTL   AX, AX
	CMOVQEQ CX, DI          // no list
	MOVL    DX, R12         // the destination's AS

	MOVQ    R14, AX
	SUBQ    SI, AX
	SUBQ    $8, AX
	JCS     other
	SHRQ    $2, AX
	MOVBELL (SI), CX
	ADDQ    $4, SI
	CMPQ    CX, AX
	JHI     other
	TESTL   CX, CX
	JEQ     last
	CMPL    CX, $25         // of five bytes each
	JHI     other
	LEAQ    (SI)(CX*4), R13
	MOVW    $const_tagBGPCommunities, (DI)
	ADDQ    $3, DI
	MOVQ    DI, R14

community:
	ELEMENT
	CMPQ    SI, R13
	JCS     community
	MOVQ    DI, AX
	SUBQ    R14, AX
	MOVB    AX, -1(R14)

last:
	SHLQ    $8, R8
	MOVL    R12, AX
	FIELD1(const_tagDstAS)
	MOVL    firstAS-12(SP), AX
	FIELD1(const_tagNextHopAS)
	JMP     after

// func prefetch(datagram *byte)
TEXT ·prefetch(SB), NOSPLIT, $0-8
	MOVQ datagram+0(FP), AX
	PREFETCHT0 64(AX)
	PREFETCHT0 128(AX)
	PREFETCHT0 192(AX)
	PREFETCHT0 256(AX)
	PREFETCHT0 320(AX)
	PREFETCHT0 384(AX)
	PREFETCHT0 448(AX)
	PREFETCHT0 512(AX)
	PREFETCHT0 576(AX)
	PREFETCHT0 640(AX)
	RET
