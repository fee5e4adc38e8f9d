// The loop around G, for all kernels. Registers:
//
//	CX   the *run
//	R8   run.mem
//	R9   window.lane
//	R10  window.start
//	R11  window.size, of the next pick
//	R12  the rest of run.refs, or 0
//	R13  blocks left
//	SI   the block before
//	DX   its reference
//	DI   the block to compute
//	BX   the reference of the next one
//	AX   free

#include "go_asm.h"

// ADDRESS turns the number of a block into its address.
#define ADDRESS(x) \
	SHLQ $10, x \
	ADDQ R8, x

// PICK turns AX, a random word, into the address of a block of the window, and
// lets the window grow. It is window.pick.
#define PICK(x) \
	MOVL    AX, AX              \
	IMULQ   AX, AX              \
	SHRQ    $32, AX             \
	IMULQ   R11, AX             \
	SHRQ    $32, AX             \
	LEAQ    -1(R10)(R11*1), x   \
	SUBQ    AX, x               \
	MOVQ    x, AX               \
	SUBQ    R9, AX              \
	CMOVQCC AX, x               \
	ADDRESS(x)                  \
	INCQ    R11

// BEGIN loads the registers from the run in CX.
#define BEGIN \
	MOVQ  run_mem(CX), R8                    \
	MOVQ  run_out(CX), DI                    \
	ADDRESS(DI)                              \
	MOVQ  run_prev(CX), SI                   \
	ADDRESS(SI)                              \
	MOVQ  run_count(CX), R13                 \
	MOVQ  run_refs(CX), R12                  \
	MOVQ  (run_window+window_lane)(CX), R9   \
	MOVQ  (run_window+window_start)(CX), R10 \
	MOVQ  (run_window+window_size)(CX), R11  \
	TESTQ R12, R12                           \
	JNE   first                              \
	MOVQ  (SI), AX                           \
	PICK(DX)                                 \
	JMP   loop                               \
first: \
	MOVL  (R12), DX                          \
	ADDRESS(DX)                              \
loop:

// FETCH comes as soon as the first word of G is in AX: it finds the next
// reference and starts to load it, or if references are known, the one in
// three blocks' time.
#define FETCH \
	TESTQ R12, R12          \
	JNE   known             \
	CMPB  run_fold(CX), $0  \
	JEQ   pick              \
	XORQ  (DI), AX          \
pick: \
	PICK(BX)                \
	MOVQ  BX, AX            \
	JMP   fetch             \
known: \
	ADDQ  $4, R12           \
	MOVL  (R12), BX         \
	ADDRESS(BX)             \
	MOVL  8(R12), AX        \
	ADDRESS(AX)             \
fetch: \
	PREFETCHT0 0(AX)   \
	PREFETCHT0 64(AX)  \
	PREFETCHT0 128(AX) \
	PREFETCHT0 192(AX) \
	PREFETCHT0 256(AX) \
	PREFETCHT0 320(AX) \
	PREFETCHT0 384(AX) \
	PREFETCHT0 448(AX) \
	PREFETCHT0 512(AX) \
	PREFETCHT0 576(AX) \
	PREFETCHT0 640(AX) \
	PREFETCHT0 704(AX) \
	PREFETCHT0 768(AX) \
	PREFETCHT0 832(AX) \
	PREFETCHT0 896(AX) \
	PREFETCHT0 960(AX)

// END goes on with the next block.
#define END \
	MOVQ DI, SI    \
	MOVQ BX, DX    \
	ADDQ $1024, DI \
	DECQ R13       \
	JNE  loop
