#include "checkpoint/dtype.h"

#include <array>
#include <string_view>

namespace musicldm::checkpoint {

namespace {

// In ascending order of alignment; the reference implementation (huggingface/safetensors,
// `enum Dtype`) writes the data of a file in the reverse of this order.
const std::array<Dtype, 22> kDtypes = {{
    {"BOOL", 8, at::kBool},
    {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},
    {"F6_E3M2", 6, std::nullopt},
    {"U8", 8, at::kByte},
    {"I8", 8, at::kChar},
    {"F8_E5M2", 8, std::nullopt},
    {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt},
    {"F8_E5M2FNUZ", 8, std::nullopt},
    {"I16", 16, at::kShort},
    {"U16", 16, std::nullopt},
    {"F16", 16, at::kHalf},
    {"BF16", 16, at::kBFloat16},
    {"I32", 32, at::kInt},
    {"U32", 32, std::nullopt},
    {"F32", 32, at::kFloat},
    {"C64", 64, std::nullopt},
    {"F64", 64, at::kDouble},
    {"I64", 64, at::kLong},
    {"U64", 64, std::nullopt},
}};

// Of torch alone.
const std::array<Dtype, 2> kTorchDtypes = {{
    {"C32", 32, std::nullopt},
    {"C128", 128, std::nullopt},
}};

}  // namespace

const Dtype* find_dtype(const std::string& name) {
  for (const Dtype& dtype : kDtypes) {
    if (name == dtype.name) return &dtype;
  }
  return nullptr;
}

const Dtype* find_torch_dtype(const std::string& name) {
  for (const Dtype& dtype : kTorchDtypes) {
    if (name == dtype.name) return &dtype;
  }
  return find_dtype(name);
}

const Dtype* find_dtype(at::ScalarType type) {
  for (const Dtype& dtype : kDtypes) {
    if (dtype.type == type) return &dtype;
  }
  return nullptr;
}

int64_t dtype_rank(const Dtype& dtype) { return &dtype - kDtypes.data(); }

}  // namespace musicldm::checkpoint
