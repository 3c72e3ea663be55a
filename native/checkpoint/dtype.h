// The element types that a safetensors header or a torch file can name.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

namespace musicldm::checkpoint {

struct Dtype {
  const char* name;
  int64_t bits;                        // per element; below 8 for packed types
  std::optional<at::ScalarType> type;  // empty: known to the format, not readable here
};

// The type of that name; nullptr where the safetensors format has none.
const Dtype* find_dtype(const std::string& name);

// The same for torch files, which have more types.
const Dtype* find_torch_dtype(const std::string& name);

// The type that stores a tensor's elements; nullptr where the format has none.
const Dtype* find_dtype(at::ScalarType type);

// Position in the reference writer's data order; higher comes first.
int64_t dtype_rank(const Dtype& dtype);

}  // namespace musicldm::checkpoint
