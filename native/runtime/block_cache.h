// Reuse of large CPU tensors' memory while jobs run. The system's allocator gives such blocks
// back to the kernel, which then faults in every page anew: a quarter of the time of a VAE decoder.
#pragma once

namespace musicldm::runtime {

// Makes libtorch allocate CPU tensors through the cache. Once per process; later calls do nothing.
void install_block_cache();

// While any of these is alive, freed blocks are kept for the next allocation of about their size;
// with the last one they go back to the system.
class BlockReuse {
 public:
  BlockReuse();
  ~BlockReuse();
  BlockReuse(const BlockReuse&) = delete;
  BlockReuse& operator=(const BlockReuse&) = delete;
};

}  // namespace musicldm::runtime
