//go:build !purego

#include "run_amd64.h"
#include "textflag.h"

// A block does not fit into the registers: P works on two rows at a time, and
// leaves them on the stack, then on two columns. Each half of a 64-byte line of
// the block has columns 2q and 2q+1 of one row. Indices count such halves.

// ADDMUL sets x = x + y + 2·lo(x)·lo(y), then z = z ^ x.
#define ADDMUL(x, y, z) \
	VPMULUDQ x, y, Y15     \
	VPADDQ   x, y, x       \
	VPADDQ   Y15, Y15, Y15 \
	VPADDQ   x, Y15, x     \
	VPXOR    x, z, z

// STEP32 and so on are ADDMUL and the rotation of z to the right, for which Y13
// and Y14 have the shuffles by 16 and 24.
#define STEP32(x, y, z) \
	ADDMUL(x, y, z) \
	VPSHUFD $0xb1, z, z

#define STEP24(x, y, z) \
	ADDMUL(x, y, z) \
	VPSHUFB Y14, z, z

#define STEP16(x, y, z) \
	ADDMUL(x, y, z) \
	VPSHUFB Y13, z, z

#define STEP63(x, y, z) \
	ADDMUL(x, y, z)    \
	VPADDQ z, z, Y15   \
	VPSRLQ $63, z, z   \
	VPXOR  z, Y15, z

// GB is GB of RFC 9106, section 3.6, on two groups in parallel.
#define GB(a0, b0, c0, d0, a1, b1, c1, d1) \
	STEP32(a0, b0, d0) \
	STEP32(a1, b1, d1) \
	STEP24(c0, d0, b0) \
	STEP24(c1, d1, b1) \
	STEP16(a0, b0, d0) \
	STEP16(a1, b1, d1) \
	STEP63(c0, d0, b0) \
	STEP63(c1, d1, b1)

#define LOAD(i, y) \
	VMOVDQU (32*(i))(SI), y    \
	VPXOR   (32*(i))(DX), y, y

#define LOADROW(i, a, b, c, d) \
	LOAD(i+0, a) \
	LOAD(i+2, b) \
	LOAD(i+4, c) \
	LOAD(i+6, d)

#define SAVEROW(i, a, b, c, d) \
	VMOVDQA a, (32*(i+0))(BP) \
	VMOVDQA b, (32*(i+2))(BP) \
	VMOVDQA c, (32*(i+4))(BP) \
	VMOVDQA d, (32*(i+6))(BP)

// ROWLEFT and ROWRIGHT turn the diagonals of a row to columns, and back.
#define ROWLEFT(b, c, d) \
	VPERMQ $0x39, b, b \
	VPERMQ $0x4e, c, c \
	VPERMQ $0x93, d, d

#define ROWRIGHT(b, c, d) \
	VPERMQ $0x93, b, b \
	VPERMQ $0x4e, c, c \
	VPERMQ $0x39, d, d

// ROWS applies P to the rows that begin at i and j.
#define ROWS(i, j) \
	LOADROW(i, Y0, Y1, Y2, Y3) \
	LOADROW(j, Y4, Y5, Y6, Y7) \
	GB(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7) \
	ROWLEFT(Y1, Y2, Y3)  \
	ROWLEFT(Y5, Y6, Y7)  \
	GB(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7) \
	ROWRIGHT(Y1, Y2, Y3) \
	ROWRIGHT(Y5, Y6, Y7) \
	SAVEROW(i, Y0, Y1, Y2, Y3) \
	SAVEROW(j, Y4, Y5, Y6, Y7)

// COLS applies P to the two columns that begin at i. Their vectors of four words
// have two words in each of two registers, at the same place for one column.
#define COLS(i) \
	VMOVDQA (32*(i+0))(BP), Y0  \
	VMOVDQA (32*(i+1))(BP), Y1  \
	VMOVDQA (32*(i+8))(BP), Y2  \
	VMOVDQA (32*(i+9))(BP), Y3  \
	VMOVDQA (32*(i+16))(BP), Y4 \
	VMOVDQA (32*(i+17))(BP), Y5 \
	VMOVDQA (32*(i+24))(BP), Y6 \
	VMOVDQA (32*(i+25))(BP), Y7 \
	GB(Y0, Y2, Y4, Y6, Y1, Y3, Y5, Y7) \
	VPALIGNR $8, Y2, Y3, Y8 \
	VPALIGNR $8, Y3, Y2, Y3 \
	VPALIGNR $8, Y7, Y6, Y9 \
	VPALIGNR $8, Y6, Y7, Y7 \
	GB(Y0, Y8, Y5, Y9, Y1, Y3, Y4, Y7) \
	VPALIGNR $8, Y3, Y8, Y2 \
	VPALIGNR $8, Y8, Y3, Y3 \
	VPALIGNR $8, Y9, Y7, Y6 \
	VPALIGNR $8, Y7, Y9, Y7

// STORE xors the result with what LOAD loaded.
#define STORE(i, y) \
	VPXOR   (32*(i))(SI), y, y \
	VPXOR   (32*(i))(DX), y, y \
	VMOVDQU y, (32*(i))(DI)

#define FOLD(i, y) \
	VPXOR (32*(i))(DI), y, y \
	STORE(i, y)

#define STORES(M, i) \
	M(i+0, Y0)  \
	M(i+1, Y1)  \
	M(i+8, Y2)  \
	M(i+9, Y3)  \
	M(i+16, Y4) \
	M(i+17, Y5) \
	M(i+24, Y6) \
	M(i+25, Y7)

// func runAVX2(r *run)
TEXT ·runAVX2(SB), 0, $1056-8
	VMOVDQU right16<>(SB), Y13
	VMOVDQU right24<>(SB), Y14
	MOVQ    r+0(FP), CX
	LEAQ    rows-1024(SP), BP
	ANDQ    $-32, BP
	BEGIN
	ROWS(0, 1)
	ROWS(8, 9)
	ROWS(16, 17)
	ROWS(24, 25)
	COLS(0)
	VMOVQ X0, AX
	XORQ  (SI), AX
	XORQ  (DX), AX
	FETCH
	CMPB  run_fold(CX), $0
	JNE   fold
	STORES(STORE, 0)
	COLS(2)
	STORES(STORE, 2)
	COLS(4)
	STORES(STORE, 4)
	COLS(6)
	STORES(STORE, 6)
	END
	VZEROUPPER
	RET

fold:
	STORES(FOLD, 0)
	COLS(2)
	STORES(FOLD, 2)
	COLS(4)
	STORES(FOLD, 4)
	COLS(6)
	STORES(FOLD, 6)
	END
	VZEROUPPER
	RET

DATA right24<>+0(SB)/8, $0x0201000706050403
DATA right24<>+8(SB)/8, $0x0a09080f0e0d0c0b
DATA right24<>+16(SB)/8, $0x0201000706050403
DATA right24<>+24(SB)/8, $0x0a09080f0e0d0c0b
GLOBL right24<>(SB), RODATA|NOPTR, $32

DATA right16<>+0(SB)/8, $0x0100070605040302
DATA right16<>+8(SB)/8, $0x09080f0e0d0c0b0a
DATA right16<>+16(SB)/8, $0x0100070605040302
DATA right16<>+24(SB)/8, $0x09080f0e0d0c0b0a
GLOBL right16<>(SB), RODATA|NOPTR, $32
