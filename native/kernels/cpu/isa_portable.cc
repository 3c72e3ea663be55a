#define MUSICLDM_ISA portable
#define MUSICLDM_VECTOR_BYTES 16
#define MUSICLDM_TABLE kPortableKernels
#include "kernels/cpu/isa_table.h"
