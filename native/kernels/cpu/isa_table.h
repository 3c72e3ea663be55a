// Defines the table of the instruction set that the including file is compiled for.
#include "kernels/cpu/fourier_kernel.h"
#include "kernels/cpu/gemm_kernel.h"
#include "kernels/cpu/kernel_table.h"
#include "kernels/cpu/mel_kernel.h"
#include "kernels/cpu/prepare_kernel.h"
#include "kernels/cpu/winograd_kernel.h"

#define MUSICLDM_TEXT_OF(name) #name
#define MUSICLDM_TEXT(name) MUSICLDM_TEXT_OF(name)

namespace musicldm::kernels {

extern const KernelTable MUSICLDM_TABLE;
const KernelTable MUSICLDM_TABLE = {
    .name = MUSICLDM_TEXT(MUSICLDM_ISA),
    .lanes = MUSICLDM_ISA::kLanes,
    .panel = MUSICLDM_ISA::kPanel,
    .most_rows = MUSICLDM_ISA::kMostRows,
    .gemm = MUSICLDM_ISA::gemm,
    .prepare = MUSICLDM_ISA::prepare,
    .moments = MUSICLDM_ISA::moments,
    .softmax = MUSICLDM_ISA::softmax,
    .winograd_input = MUSICLDM_ISA::winograd_input,
    .winograd_output = MUSICLDM_ISA::winograd_output,
    .fourier_input = MUSICLDM_ISA::fourier_input,
    .fourier_output = MUSICLDM_ISA::fourier_output,
    .fourier_weights = MUSICLDM_ISA::fourier_weights,
    .mel = MUSICLDM_ISA::mel<float>,
    .mel_double = MUSICLDM_ISA::mel<double>,
};

}  // namespace musicldm::kernels
