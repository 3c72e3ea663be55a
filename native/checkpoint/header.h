// The header of a safetensors file: eight bytes of little-endian length, then JSON, then data.
// Format: huggingface/safetensors, README, "Format".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/dtype.h"

namespace musicldm::checkpoint {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the reference's cap
inline constexpr size_t kMaxRank = 64;

struct Entry {
  std::string name;
  const Dtype* dtype = nullptr;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // of the data, from the start of the file's data section
  uint64_t end = 0;
  std::vector<int64_t> strides = {};  // in elements; empty: row-major
};

struct Header {
  std::vector<Entry> entries;  // in the order of their data
  std::map<std::string, std::string> metadata;
  uint64_t data_start = 0;  // in the file
};

// Reads and checks a header against the bytes of its whole file: afterwards every entry lies inside
// the data, holds exactly the bytes of its shape and dtype, and the entries cover the data without
// holes or overlaps. Anything else throws E_CHECKPOINT naming the file and the reason.
Header parse_header(const std::string& file, const char* bytes, size_t size);

}  // namespace musicldm::checkpoint
