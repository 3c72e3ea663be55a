#include "runtime/executor.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <map>
#include <thread>

#include "runtime/block_cache.h"

namespace musicldm::runtime {
namespace {

std::atomic<int> wanted_threads{0};  // 0: libtorch's own choice

struct Executors {
  std::mutex mutex;
  std::map<std::pair<int, int>, Executor*> by_device;
};

// Never destroyed: an executor thread may outlive the static destructors of the process.
Executors& executors() {
  static auto* instance = new Executors;
  return *instance;
}

// OpenMP keeps its team size per thread, so the executor thread itself has to set it.
void apply_threads() {
  const int wanted = wanted_threads.load();
  if (wanted > 0 && at::get_num_threads() != wanted) at::set_num_threads(wanted);
}

}  // namespace

Executor& Executor::of(c10::Device device) {
  auto& all = executors();
  const std::lock_guard lock(all.mutex);
  auto& executor = all.by_device[{static_cast<int>(device.type()), device.index()}];
  if (!executor) {
    executor = new Executor;
    std::thread([executor] { executor->run(); }).detach();
  }
  return *executor;
}

void Executor::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  work_.notify_one();
}

void Executor::run() {
  at::init_num_threads();
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return !jobs_.empty(); });
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    apply_threads();
    {
      const BlockReuse reuse;
      job();
      job = nullptr;
    }
    lock.lock();
  }
}

void set_threads(int count) { wanted_threads.store(count); }

int threads() {
  const int wanted = wanted_threads.load();
  return wanted > 0 ? wanted : at::get_num_threads();
}

}  // namespace musicldm::runtime
