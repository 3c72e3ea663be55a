// Which kernels run: those of the best instruction set that the processor has, or of a lesser one.
#pragma once

#include <string>
#include <vector>

#include "kernels/cpu/kernel_table.h"

namespace musicldm::kernels {

// In effect now. At first the best one, or the one that MUSICLDM_CPU_CAPABILITY names.
const KernelTable& kernels();

// What this processor can run, best first; "portable" is always there.
std::vector<std::string> capabilities();

// Chooses by name for all later work; packed weights of another width are packed again when they
// are used. E_ARGUMENT for one that the processor lacks.
void select_capability(const std::string& name);

}  // namespace musicldm::kernels
