//go:build !purego

#include "run_amd64.h"
#include "textflag.h"

// The whole block is in Z0 to Z15, line i in Zi. Line 4g+q has columns 2q and
// 2q+1 of rows 2g and 2g+1, so P works on the rows in (Z0, Z1, Z2, Z3), two at
// a time, (Z4, Z5, Z6, Z7) and so on, and on the columns in (Z0, Z4, Z8, Z12)
// and so on. Of the columns, the first group runs alone and the others together,
// so that the first word of the result, which picks the next reference, is there
// early.

// STEP sets x = x + y + 2·lo(x)·lo(y), then z = (z ^ x) >>> n.
#define STEP(n, x, y, z) \
	VPMULUDQ x, y, Z16     \
	VPADDQ   x, y, x       \
	VPADDQ   Z16, Z16, Z16 \
	VPADDQ   x, Z16, x     \
	VPXORQ   x, z, z       \
	VPRORQ   $n, z, z

// GB is GB of RFC 9106, section 3.6, on a group.
#define GB(a, b, c, d) \
	STEP(32, a, b, d) \
	STEP(24, c, d, b) \
	STEP(16, a, b, d) \
	STEP(63, c, d, b)

// STEP3 and GB3 work on three groups in parallel.
#define STEP3(n, x0, y0, z0, x1, y1, z1, x2, y2, z2) \
	STEP(n, x0, y0, z0) \
	STEP(n, x1, y1, z1) \
	STEP(n, x2, y2, z2)

#define GB3(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2) \
	STEP3(32, a0, b0, d0, a1, b1, d1, a2, b2, d2) \
	STEP3(24, c0, d0, b0, c1, d1, b1, c2, d2, b2) \
	STEP3(16, a0, b0, d0, a1, b1, d1, a2, b2, d2) \
	STEP3(63, c0, d0, b0, c1, d1, b1, c2, d2, b2)

// ROWSTEP and ROWGB work on the four groups of rows.
#define ROWSTEP(n, x0, y0, z0, x1, y1, z1, x2, y2, z2, x3, y3, z3) \
	STEP3(n, x0, y0, z0, x1, y1, z1, x2, y2, z2) \
	STEP(n, x3, y3, z3)

#define ROWGB \
	ROWSTEP(32, Z0, Z1, Z3, Z4, Z5, Z7, Z8, Z9, Z11, Z12, Z13, Z15)  \
	ROWSTEP(24, Z2, Z3, Z1, Z6, Z7, Z5, Z10, Z11, Z9, Z14, Z15, Z13) \
	ROWSTEP(16, Z0, Z1, Z3, Z4, Z5, Z7, Z8, Z9, Z11, Z12, Z13, Z15)  \
	ROWSTEP(63, Z2, Z3, Z1, Z6, Z7, Z5, Z10, Z11, Z9, Z14, Z15, Z13)

// ROWLEFT and ROWRIGHT turn the diagonals of a group of rows to columns, and
// back.
#define ROWLEFT(b, c, d) \
	VPERMQ $0x39, b, b \
	VPERMQ $0x4e, c, c \
	VPERMQ $0x93, d, d

#define ROWRIGHT(b, c, d) \
	VPERMQ $0x93, b, b \
	VPERMQ $0x4e, c, c \
	VPERMQ $0x39, d, d

// COLLEFT and COLRIGHT do the same to a group of columns, whose vectors of four
// words have two words in each half of a register.
#define COLLEFT(b, c, d) \
	VPERMQ     b, Z30, b      \
	VSHUFI64X2 $0x4e, c, c, c \
	VPERMQ     d, Z31, d

#define COLRIGHT(b, c, d) \
	VPERMQ     b, Z31, b      \
	VSHUFI64X2 $0x4e, c, c, c \
	VPERMQ     d, Z30, d

#define LOAD(i, z) \
	VMOVDQU64 (64*(i))(SI), z    \
	VPXORQ    (64*(i))(DX), z, z

// STORE xors the result with what LOAD loaded (0x96 is xor of three).
#define STORE(i, z) \
	VMOVDQU64  (64*(i))(SI), Z16           \
	VPTERNLOGQ $0x96, (64*(i))(DX), Z16, z \
	VMOVDQU64  z, (64*(i))(DI)

#define FOLD(i, z) \
	VPXORQ (64*(i))(DI), z, z \
	STORE(i, z)

#define ALL(M) \
	M(0, Z0)   \
	M(1, Z1)   \
	M(2, Z2)   \
	M(3, Z3)   \
	M(4, Z4)   \
	M(5, Z5)   \
	M(6, Z6)   \
	M(7, Z7)   \
	M(8, Z8)   \
	M(9, Z9)   \
	M(10, Z10) \
	M(11, Z11) \
	M(12, Z12) \
	M(13, Z13) \
	M(14, Z14) \
	M(15, Z15)

// func runAVX512(r *run)
TEXT ·runAVX512(SB), NOSPLIT, $0-8
	VMOVDQU64 left<>(SB), Z30
	VMOVDQU64 right<>(SB), Z31
	MOVQ      r+0(FP), CX
	BEGIN
	ALL(LOAD)

	ROWGB
	ROWLEFT(Z1, Z2, Z3)
	ROWLEFT(Z5, Z6, Z7)
	ROWLEFT(Z9, Z10, Z11)
	ROWLEFT(Z13, Z14, Z15)
	ROWGB
	ROWRIGHT(Z1, Z2, Z3)
	ROWRIGHT(Z5, Z6, Z7)
	ROWRIGHT(Z9, Z10, Z11)
	ROWRIGHT(Z13, Z14, Z15)

	GB(Z0, Z4, Z8, Z12)
	COLLEFT(Z4, Z8, Z12)
	GB(Z0, Z4, Z8, Z12)
	VMOVQ X0, AX
	XORQ  (SI), AX
	XORQ  (DX), AX
	FETCH
	COLRIGHT(Z4, Z8, Z12)
	GB3(Z1, Z5, Z9, Z13, Z2, Z6, Z10, Z14, Z3, Z7, Z11, Z15)
	COLLEFT(Z5, Z9, Z13)
	COLLEFT(Z6, Z10, Z14)
	COLLEFT(Z7, Z11, Z15)
	GB3(Z1, Z5, Z9, Z13, Z2, Z6, Z10, Z14, Z3, Z7, Z11, Z15)
	COLRIGHT(Z5, Z9, Z13)
	COLRIGHT(Z6, Z10, Z14)
	COLRIGHT(Z7, Z11, Z15)

	CMPB run_fold(CX), $0
	JNE  fold
	ALL(STORE)
	END
	VZEROUPPER
	RET

fold:
	ALL(FOLD)
	END
	VZEROUPPER
	RET

DATA left<>+0(SB)/8, $1
DATA left<>+8(SB)/8, $4
DATA left<>+16(SB)/8, $3
DATA left<>+24(SB)/8, $6
DATA left<>+32(SB)/8, $5
DATA left<>+40(SB)/8, $0
DATA left<>+48(SB)/8, $7
DATA left<>+56(SB)/8, $2
GLOBL left<>(SB), RODATA|NOPTR, $64

DATA right<>+0(SB)/8, $5
DATA right<>+8(SB)/8, $0
DATA right<>+16(SB)/8, $7
DATA right<>+24(SB)/8, $2
DATA right<>+32(SB)/8, $1
DATA right<>+40(SB)/8, $4
DATA right<>+48(SB)/8, $3
DATA right<>+56(SB)/8, $6
GLOBL right<>(SB), RODATA|NOPTR, $64
