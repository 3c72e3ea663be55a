#define MUSICLDM_ISA avx2
#define MUSICLDM_VECTOR_BYTES 32
#define MUSICLDM_TABLE kAvx2Kernels
#include "kernels/cpu/isa_table.h"
