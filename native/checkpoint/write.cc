#include "checkpoint/write.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "checkpoint/dtype.h"
#include "checkpoint/fault.h"
#include "checkpoint/header.h"
#include "checkpoint/output.h"
#include "runtime/error.h"

namespace musicldm::checkpoint {

namespace {

struct Item {
  std::string name;
  at::Tensor tensor;
  const Dtype* dtype;
};

const Dtype* dtype_of(const std::string& name, const at::Tensor& tensor) {
  const Dtype* dtype = find_dtype(tensor.scalar_type());
  if (dtype == nullptr || tensor.layout() != at::kStrided) {
    throw runtime::Error("E_DTYPE", "Expected a dense tensor of a safetensors dtype for " +
                                        show_name(name) + " but received " +
                                        c10::toString(tensor.scalar_type()));
  }
  return dtype;
}

// Wide types first, then by name: data stays aligned without padding.
std::vector<Item> in_file_order(const std::map<std::string, at::Tensor>& tensors) {
  std::vector<Item> items;
  for (const auto& [name, tensor] : tensors) {
    items.push_back({name, tensor, dtype_of(name, tensor)});
  }
  std::stable_sort(items.begin(), items.end(), [](const Item& a, const Item& b) {
    return dtype_rank(*a.dtype) > dtype_rank(*b.dtype);
  });
  return items;
}

at::Tensor row_major(const at::Tensor& tensor) {
  return tensor.detach().to(at::kCPU).contiguous().resolve_neg();
}

std::string header_text(const std::vector<Item>& items,
                        const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t position = 0;
  for (const Item& item : items) {
    if (item.name == "__metadata__") {
      throw runtime::expected("E_ARGUMENT", "another name", "a tensor", "\"__metadata__\"");
    }
    const uint64_t end = position + item.tensor.nbytes();
    nlohmann::ordered_json& entry = header[item.name];
    entry["dtype"] = item.dtype->name;
    entry["shape"] = item.tensor.sizes().vec();
    entry["data_offsets"] = {position, end};
    position = end;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

std::string length_bytes(uint64_t length) {
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>((length >> (8 * i)) & 0xFF);
  return bytes;
}

}  // namespace

void write_file(const std::string& path, const std::map<std::string, at::Tensor>& tensors,
                const std::map<std::string, std::string>& metadata) {
  const std::vector<Item> items = in_file_order(tensors);
  const std::string header = header_text(items, metadata);
  if (header.size() > kMaxHeaderBytes) {
    throw runtime::Error("E_ARGUMENT", "Expected names and metadata of at most 100 MB for " + path +
                                           " but received " + std::to_string(header.size()) +
                                           " bytes");
  }
  AtomicFile file(path);
  const std::string length = length_bytes(header.size());
  file.write(length.data(), length.size());
  file.write(header.data(), header.size());
  for (const Item& item : items) {
    const at::Tensor dense = row_major(item.tensor);
    file.write(dense.const_data_ptr(), dense.nbytes());
  }
  file.commit();
}

at::Tensor row_major_bytes(const at::Tensor& tensor) {
  const at::Tensor dense = row_major(tensor);
  at::Tensor bytes = at::empty({static_cast<int64_t>(dense.nbytes())}, at::kByte);
  if (bytes.numel() > 0) {
    std::memcpy(bytes.mutable_data_ptr(), dense.const_data_ptr(), dense.nbytes());
  }
  return bytes;
}

}  // namespace musicldm::checkpoint
