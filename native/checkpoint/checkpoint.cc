#include "checkpoint/checkpoint.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <utility>

#include "checkpoint/fault.h"

namespace musicldm::checkpoint {

namespace {

at::Tensor copy_of(const char* data, const Entry& entry) {
  at::Tensor tensor = at::empty(entry.shape, *entry.dtype->type);
  std::memcpy(tensor.mutable_data_ptr(), data, entry.end - entry.begin);
  return tensor;
}

// The deleter holds the map, so that the pages live as long as the tensor's storage.
at::Tensor view_of(char* data, const Entry& entry, std::shared_ptr<Mapping> mapping) {
  auto release = [kept = std::move(mapping)](void*) mutable { kept.reset(); };
  return at::from_blob(data, entry.shape, std::move(release), *entry.dtype->type);
}

}  // namespace

Checkpoint::Checkpoint(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    auto mapping = std::make_shared<Mapping>(path);
    Header header = parse_header(path, mapping->data(), mapping->size());
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

at::Tensor Checkpoint::tensor(const std::string& name) const {
  const auto place = places_.find(name);
  if (place == places_.end()) {
    const std::string where = files_.empty() ? "no file" : files_.front().path;
    reject(where, "a tensor of the file", "name", show_name(name));
  }
  return load(place->second);
}

std::map<std::string, at::Tensor> Checkpoint::tensors(const std::string& prefix) const {
  std::map<std::string, at::Tensor> found;
  for (auto it = places_.lower_bound(prefix); it != places_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    found.emplace(it->first.substr(prefix.size()), load(it->second));
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
  return aligned ? view_of(data, entry, file.mapping) : copy_of(data, entry);
}

}  // namespace musicldm::checkpoint
