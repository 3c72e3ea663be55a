#include "checkpoint/checkpoint.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "checkpoint/fault.h"

namespace musicldm::checkpoint {

namespace {

at::IntArrayRef strides_or(const Entry& entry, at::IntArrayRef row_major) {
  return entry.strides.empty() ? row_major : at::IntArrayRef(entry.strides);
}

std::vector<int64_t> row_major_strides(at::IntArrayRef shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) {
    strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

// Copies what the elements span, so that strides stay as they are.
at::Tensor copy_of(const char* data, const Entry& entry, at::ScalarType type) {
  const auto bytes = static_cast<int64_t>(entry.end - entry.begin);
  at::Tensor span = at::empty({bytes / (entry.dtype->bits / 8)}, type);
  if (bytes > 0) std::memcpy(span.mutable_data_ptr(), data, static_cast<size_t>(bytes));
  return span.as_strided(entry.shape, strides_or(entry, row_major_strides(entry.shape)));
}

// The deleter holds the map, so that the pages live as long as the tensor's storage.
at::Tensor view_of(char* data, const Entry& entry, at::ScalarType type,
                   std::shared_ptr<Mapping> mapping) {
  auto release = [kept = std::move(mapping)](void*) mutable { kept.reset(); };
  const std::vector<int64_t> row_major = row_major_strides(entry.shape);
  return at::from_blob(data, entry.shape, strides_or(entry, row_major), std::move(release), type);
}

// A type that moves elements of that size without looking at them.
at::ScalarType carrier(int64_t bits) {
  switch (bits) {
    case 16:
      return at::kShort;
    case 32:
      return at::kInt;
    case 64:
      return at::kLong;
    case 128:
      return at::kComplexDouble;
    default:
      return at::kByte;
  }
}

at::Tensor copy_bytes(const void* data, int64_t count) {
  at::Tensor copy = at::empty({count}, at::kByte);
  if (count > 0) std::memcpy(copy.mutable_data_ptr(), data, static_cast<size_t>(count));
  return copy;
}

}  // namespace

Checkpoint::Checkpoint(const std::vector<Source>& sources) {
  for (const auto& [path, tensors] : sources) {
    auto mapping = std::make_shared<Mapping>(path);
    Header header = tensors ? check_layout(path, *tensors, mapping->size())
                            : parse_header(path, mapping->data(), mapping->size());
    for (size_t i = 0; i < header.entries.size(); ++i) {
      const std::string& name = header.entries[i].name;
      const auto [kept, added] = places_.emplace(name, Place{files_.size(), i});
      if (!added) {
        reject(path, "no tensor that another shard holds", "tensor " + show_name(name),
               "one that is also in " + files_[kept->second.file].path);
      }
    }
    files_.push_back({path, std::move(mapping), std::move(header)});
  }
}

std::map<std::string, std::string> Checkpoint::metadata() const {
  std::map<std::string, std::string> merged;
  for (const File& file : files_) {
    merged.insert(file.header.metadata.begin(), file.header.metadata.end());
  }
  return merged;
}

const Checkpoint::Place& Checkpoint::find(const std::string& name) const {
  const auto place = places_.find(name);
  if (place == places_.end()) {
    const std::string where = files_.empty() ? "no file" : files_.front().path;
    reject(where, "a tensor of the file", "name", show_name(name));
  }
  return place->second;
}

at::Tensor Checkpoint::tensor(const std::string& name) const { return load(find(name)); }

at::Tensor Checkpoint::bytes(const std::string& name, int64_t begin, int64_t end) const {
  const Place& place = find(name);
  const File& file = files_[place.file];
  const Entry& entry = file.header.entries[place.entry];
  const char* data = file.mapping->data() + file.header.data_start + entry.begin;
  auto size = static_cast<int64_t>(entry.end - entry.begin);
  at::Tensor gathered;
  if (!entry.strides.empty()) {
    gathered = copy_of(data, entry, carrier(entry.dtype->bits)).contiguous();
    data = static_cast<const char*>(gathered.const_data_ptr());
    size = static_cast<int64_t>(gathered.nbytes());
  }
  const int64_t first = std::clamp<int64_t>(begin, 0, size);
  return copy_bytes(data + first, std::clamp<int64_t>(end, first, size) - first);
}

std::map<std::string, at::Tensor> Checkpoint::tensors(const std::string& prefix) const {
  std::map<std::string, at::Tensor> found;
  for (auto it = places_.lower_bound(prefix); it != places_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    found.emplace(it->first.substr(prefix.size()), load(it->second).contiguous());
  }
  return found;
}

at::Tensor Checkpoint::load(const Place& place) const {
  const File& file = files_[place.file];
  const Entry& entry = file.header.entries[place.entry];
  if (!entry.dtype->type) {
    reject(file.path, "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL",
           "dtype of tensor " + show_name(entry.name), entry.dtype->name);
  }
  char* data = file.mapping->data() + file.header.data_start + entry.begin;
  const auto alignment = static_cast<uintptr_t>(entry.dtype->bits / 8);
  const bool aligned = reinterpret_cast<uintptr_t>(data) % alignment == 0;
  const at::ScalarType type = *entry.dtype->type;
  return aligned ? view_of(data, entry, type, file.mapping) : copy_of(data, entry, type);
}

}  // namespace musicldm::checkpoint
