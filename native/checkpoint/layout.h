// Tensors of a file that is described from outside: torch files, whose pickles TypeScript reads.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "checkpoint/header.h"

namespace musicldm::checkpoint {

// A tensor as its description says; nothing is checked yet.
struct Placement {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // in elements
  int64_t begin = 0;             // of the first element, from the start of the file
};

// Checks every placement against the size of its file: afterwards each entry's elements lie inside
// the file, whatever its strides. Anything else throws E_CHECKPOINT naming the file and the tensor.
Header check_layout(const std::string& file, const std::vector<Placement>& tensors, size_t size);

}  // namespace musicldm::checkpoint
