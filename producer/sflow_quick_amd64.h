// Registers of writeSamples:
//
//	DI   where the next field goes
//	SI   what is read next
//	R8   mask for depositing behind a tag of one byte
//	R9   the same behind a tag of two bytes
//	R10  quickTables
//	R11  end of the sample's records
//	R14  bytes of the record in hand that are left, or its end
//	R15  the record behind that
//
// AX, BX and CX are not kept by the macros.

// FIELD1 writes AX, below 1<<32, as a varint behind a tag of one byte, or nothing
// if it is zero. The store is of 8 bytes.
#define FIELD1(tag) \
	LZCNTL  AX, CX; \
	PDEPQ   R8, AX, BX; \
	ORQ     quickTables_more1(R10)(CX*8), BX; \
	MOVBLZX quickTables_size1(R10)(CX*1), CX; \
	ORQ     $(tag), BX; \
	MOVQ    BX, (DI); \
	ADDQ    CX, DI

// FIELD2 is the same behind a tag of two bytes.
#define FIELD2(tag) \
	LZCNTL  AX, CX; \
	PDEPQ   R9, AX, BX; \
	ORQ     quickTables_more2(R10)(CX*8), BX; \
	MOVBLZX quickTables_size2(R10)(CX*1), CX; \
	ORQ     $(tag), BX; \
	MOVQ    BX, (DI); \
	ADDQ    CX, DI

// MAC writes the low 48 bits of AX behind a tag of two bytes, or nothing if they
// are zero. DX is the mask for depositing.
#define MAC(tag) \
	PDEPQ   DX, AX, BX; \
	LZCNTQ  BX, CX; \
	ORQ     quickTables_more(R10)(CX*8), BX; \
	MOVBLZX quickTables_size(R10)(CX*1), CX; \
	MOVW    $(tag), (DI); \
	MOVQ    BX, 2(DI); \
	ADDQ    CX, DI

// ELEMENT writes the word at SI as an element of a list, zero too, and leaves it
// in DX. R8 is the mask for depositing without a tag. quickTables.size counts two
// bytes of a tag.
#define ELEMENT \
	MOVBELL (SI), DX; \
	PDEPQ   R8, DX, BX; \
	MOVQ    BX, CX; \
	ORQ     $1, CX; \
	LZCNTQ  CX, CX; \
	ORQ     quickTables_more(R10)(CX*8), BX; \
	MOVBLZX quickTables_size(R10)(CX*1), CX; \
	MOVQ    BX, (DI); \
	LEAQ    -2(DI)(CX*1), DI; \
	ADDQ    $4, SI

// The head of an address of 4 or 16 bytes behind a tag of one byte.
#define ADDR4(tag) (tag | 4<<8)
#define ADDR16(tag) (tag | 16<<8)

// Big-endian numbers and EtherTypes as a load finds them.
#define BIG1 $0x01000000
#define BIG2 $0x02000000
#define VLAN $0x0081
#define IPV4 $0x0008
#define IPV6 $0xdd86

// STACK writes what frames with the stack of headers DX have in common. A
// stackText has 32 bytes.
#define STACK \
	SHLQ    $5, DX; \
	LEAQ    quickTables_stacks(R10)(DX*1), BX; \
	MOVUPS  (BX), X0; \
	MOVUPS  16(BX), X1; \
	MOVUPS  X0, (DI); \
	MOVUPS  X1, 16(DI); \
	MOVBLZX stackText_n(BX), CX; \
	ADDQ    CX, DI
