// What this processor reaches at best, to hold other kernels against.
#pragma once

#include <cstdint>
#include <string>

namespace musicldm::kernels {

// Multiplies and adds in registers alone, on the calling thread, with the vectors of a capability
// as dispatch.h names it. Returns the floating-point operations done, two for each multiply-add.
double run_fma_loop(const std::string& capability, int64_t rounds);

}  // namespace musicldm::kernels
