// Checkpoint files, opened together as one set of named tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/header.h"
#include "checkpoint/layout.h"
#include "checkpoint/mapping.h"
#include "runtime/value.h"

namespace musicldm::checkpoint {

// A file to open: safetensors, unless its tensors are described.
struct Source {
  std::string path;
  std::optional<std::vector<Placement>> tensors;
};

// One file or the shards of one model. Opening reads the headers only; tensors share the memory of
// the map, which lives as long as the last of them.
class Checkpoint : public runtime::Object {
 public:
  // Throws E_IO for an unreadable path and E_CHECKPOINT for a malformed file or for a tensor that
  // two files hold.
  explicit Checkpoint(const std::vector<Source>& sources);

  struct File {
    std::string path;
    std::shared_ptr<Mapping> mapping;
    Header header;
  };
  const std::vector<File>& files() const { return files_; }

  // The union over the files; the first file that has a key supplies its value.
  std::map<std::string, std::string> metadata() const;

  // Without a copy, except where the data is not aligned to its element size. Throws E_CHECKPOINT
  // where there is no such tensor or its dtype is not readable here.
  at::Tensor tensor(const std::string& name) const;

  // Bytes begin..end of a tensor's elements in row-major order, copied, as far as it has them.
  // Throws E_CHECKPOINT where there is no such tensor.
  at::Tensor bytes(const std::string& name, int64_t begin, int64_t end) const;

  // Every tensor whose name starts with the prefix, by the rest of its name, in row-major order: a
  // network trains and packs what it is given.
  std::map<std::string, at::Tensor> tensors(const std::string& prefix = "") const;

  std::string type() const override { return "Checkpoint"; }

 private:
  struct Place {
    size_t file;
    size_t entry;
  };
  const Place& find(const std::string& name) const;
  at::Tensor load(const Place& place) const;

  std::vector<File> files_;
  std::map<std::string, Place> places_;
};

}  // namespace musicldm::checkpoint
