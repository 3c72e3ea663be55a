// Whether inference may run on packed weights with our own kernels, and how much memory it may
// take.
#pragma once

namespace musicldm::nn {

enum class Packing {
  kNone,     // libtorch's operators on the weights as they are
  kCompact,  // only algorithms whose packed weights are about as large as the plain ones
  kFast,     // the fastest algorithm for each shape; packed weights can be several times as large
};

// In effect on this thread; kNone unless a PackingScope says otherwise.
Packing packing();

class PackingScope {
 public:
  explicit PackingScope(Packing packing);
  ~PackingScope();
  PackingScope(const PackingScope&) = delete;
  PackingScope& operator=(const PackingScope&) = delete;

 private:
  Packing previous_;
};

}  // namespace musicldm::nn
