#include "checkpoint/layout.h"

#include <algorithm>
#include <unordered_set>

#include "checkpoint/fault.h"

namespace musicldm::checkpoint {

namespace {

[[noreturn]] void reject_tensor(const std::string& file, const Placement& tensor,
                                const std::string& what, const std::string& received) {
  reject(file, what, "tensor " + show_name(tensor.name), received);
}

bool is_empty(const Placement& tensor) {
  return std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
}

// Bytes from the first element to the end of the last; false where a count overflows, also that of
// the elements when they overlap.
bool count_span(const Placement& tensor, int64_t bits, int64_t& span) {
  int64_t elements = bits;
  int64_t last = 0;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    int64_t step = 0;
    const int64_t size = std::max<int64_t>(tensor.shape[i], 1);
    if (__builtin_mul_overflow(elements, size, &elements)) return false;
    if (__builtin_mul_overflow(size - 1, tensor.strides[i], &step)) return false;
    if (__builtin_add_overflow(last, step, &last)) return false;
  }
  if (__builtin_add_overflow(last, 1, &last)) return false;
  if (__builtin_mul_overflow(last, bits / 8, &span)) return false;
  if (is_empty(tensor)) span = 0;
  return true;
}

bool is_row_major(const Placement& tensor) {
  int64_t wanted = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != wanted) return false;
    wanted *= tensor.shape[i];
  }
  return true;
}

void check_sizes(const std::string& file, const Placement& tensor) {
  const auto negative = [](int64_t size) { return size < 0; };
  if (tensor.shape.size() > kMaxRank || tensor.strides.size() != tensor.shape.size()) {
    reject_tensor(
        file, tensor, "as many strides as sizes and at most 64",
        std::to_string(tensor.shape.size()) + " and " + std::to_string(tensor.strides.size()));
  }
  if (std::any_of(tensor.shape.begin(), tensor.shape.end(), negative) ||
      std::any_of(tensor.strides.begin(), tensor.strides.end(), negative)) {
    reject_tensor(file, tensor, "sizes and strides of 0 or more", "a negative one");
  }
}

Entry check_tensor(const std::string& file, const Placement& tensor, size_t size) {
  check_sizes(file, tensor);
  const Dtype* dtype = find_torch_dtype(tensor.dtype);
  if (dtype == nullptr || dtype->bits % 8 != 0) {
    reject_tensor(file, tensor, "a dtype of whole bytes", show_name(tensor.dtype));
  }
  int64_t span = 0;
  if (!count_span(tensor, dtype->bits, span)) {
    reject_tensor(file, tensor, "sizes and strides whose products are below 2^63", "an overflow");
  }
  const auto limit = static_cast<int64_t>(size);
  if (tensor.begin < 0 || tensor.begin > limit || span > limit - tensor.begin) {
    reject_tensor(file, tensor, "elements within " + std::to_string(size) + " bytes",
                  std::to_string(span) + " bytes at " + std::to_string(tensor.begin));
  }
  const auto begin = static_cast<uint64_t>(tensor.begin);
  Entry entry{tensor.name, dtype, tensor.shape, begin, begin + static_cast<uint64_t>(span)};
  if (span > 0 && !is_row_major(tensor)) entry.strides = tensor.strides;
  return entry;
}

}  // namespace

Header check_layout(const std::string& file, const std::vector<Placement>& tensors, size_t size) {
  Header header;
  std::unordered_set<std::string> names;
  for (const Placement& tensor : tensors) {
    if (!names.insert(tensor.name).second) reject_tensor(file, tensor, "no name twice", "a second");
    header.entries.push_back(check_tensor(file, tensor, size));
  }
  return header;
}

}  // namespace musicldm::checkpoint
