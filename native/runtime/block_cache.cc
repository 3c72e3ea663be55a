#include "runtime/block_cache.h"

#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>

#include <list>
#include <mutex>
#include <unordered_map>

namespace musicldm::runtime {
namespace {

constexpr size_t kSmallestBlock = size_t{1} << 20;  // below this the system's allocator reuses
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kMostKept = 0;  // AddressSanitizer has to see where a block ends, and when
#else
constexpr size_t kMostKept = size_t{256} << 20;  // bytes kept at any time
#endif

struct Block {
  void* data;
  size_t bytes;
};

class BlockCache final : public c10::Allocator {
 public:
  // Never destroyed: tensors may be freed after the static destructors of the process.
  static BlockCache& instance() {
    static auto* cache = new BlockCache;
    return *cache;
  }

  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes < kSmallestBlock ? c10::alloc_cpu(bytes) : take(bytes);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &release; }

  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }

  void begin() {
    const std::lock_guard lock(mutex_);
    ++users_;
  }

  void end() {
    const std::lock_guard lock(mutex_);
    if (--users_ == 0) keep_at_most(0);
  }

 private:
  static void release(void* data) { instance().give_back(data); }

  void* take(size_t bytes) {
    const std::lock_guard lock(mutex_);
    Block block = find_kept(bytes);
    if (!block.data) block = {allocate_new(bytes), bytes};
    in_use_.emplace(block.data, block.bytes);
    return block.data;
  }

  void* allocate_new(size_t bytes) {
    try {
      return c10::alloc_cpu(bytes);
    } catch (const c10::Error&) {
      keep_at_most(0);  // what is kept may be what is missing
      return c10::alloc_cpu(bytes);
    }
  }

  // The best fit that wastes at most an eighth; a null block when there is none.
  Block find_kept(size_t bytes) {
    auto best = kept_.end();
    for (auto block = kept_.begin(); block != kept_.end(); ++block) {
      const bool fits = block->bytes >= bytes && block->bytes - bytes <= bytes / 8;
      if (fits && (best == kept_.end() || block->bytes < best->bytes)) best = block;
    }
    if (best == kept_.end()) return {nullptr, 0};
    const Block found = *best;
    kept_bytes_ -= found.bytes;
    kept_.erase(best);
    return found;
  }

  // Also called for small blocks and for memory that libtorch's own allocator gave out.
  void give_back(void* data) {
    const std::lock_guard lock(mutex_);
    const auto entry = in_use_.find(data);
    if (entry == in_use_.end()) {
      c10::free_cpu(data);
      return;
    }
    kept_.push_back({data, entry->second});
    kept_bytes_ += entry->second;
    in_use_.erase(entry);
    keep_at_most(users_ > 0 ? kMostKept : 0);
  }

  // Frees what was given back first.
  void keep_at_most(size_t bytes) {
    while (kept_bytes_ > bytes) {
      c10::free_cpu(kept_.front().data);
      kept_bytes_ -= kept_.front().bytes;
      kept_.pop_front();
    }
  }

  std::mutex mutex_;
  std::unordered_map<void*, size_t> in_use_;
  std::list<Block> kept_;
  size_t kept_bytes_ = 0;
  int users_ = 0;
};

}  // namespace

void install_block_cache() {
  static const bool installed = [] {
    c10::SetAllocator(c10::DeviceType::CPU, &BlockCache::instance(), /*priority=*/1);
    return true;
  }();
  static_cast<void>(installed);
}

BlockReuse::BlockReuse() { BlockCache::instance().begin(); }

BlockReuse::~BlockReuse() { BlockCache::instance().end(); }

}  // namespace musicldm::runtime
