// The kernels of one instruction set.
#pragma once

#include "kernels/cpu/mel_task.h"
#include "kernels/cpu/tasks.h"

namespace musicldm::kernels {

struct KernelTable {
  const char* name;
  int64_t lanes;      // floats in a vector
  int64_t panel;      // columns of a packed panel
  int64_t most_rows;  // that a product keeps in registers
  void (*gemm)(const GemmTask&);
  void (*prepare)(const PrepareTask&);
  void (*moments)(const MomentsTask&);
  void (*softmax)(const SoftmaxTask&);
  void (*winograd_input)(const WinogradInputTask&);
  void (*winograd_output)(const WinogradOutputTask&);
  void (*fourier_input)(const FourierInputTask&);
  void (*fourier_output)(const FourierOutputTask&);
  void (*fourier_weights)(const FourierWeightsTask&);
  void (*mel)(const MelTask<float>&);
  void (*mel_double)(const MelTask<double>&);
};

extern const KernelTable kPortableKernels;
#ifdef MUSICLDM_X86
extern const KernelTable kAvx2Kernels;    // needs AVX2 and FMA
extern const KernelTable kAvx512Kernels;  // needs AVX-512 F, BW, DQ and VL
#endif

}  // namespace musicldm::kernels
