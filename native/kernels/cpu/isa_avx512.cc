#define MUSICLDM_ISA avx512
#define MUSICLDM_VECTOR_BYTES 64
#define MUSICLDM_TABLE kAvx512Kernels
#include "kernels/cpu/isa_table.h"
