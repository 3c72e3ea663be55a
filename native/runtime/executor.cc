#include "runtime/executor.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "runtime/block_cache.h"

namespace musicldm::runtime {
namespace {

std::atomic<int> wanted_threads{0};  // 0: libtorch's own choice

// How long the memory of finished jobs waits for the next job: the steps of a generation follow one
// another, and a server that rests gives its memory back.
constexpr std::chrono::seconds kIdle{2};

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
  std::optional<BlockReuse> reuse;
  for (;;) {
    const auto has_work = [this] { return !jobs_.empty(); };
    if (!work_.wait_for(lock, kIdle, has_work)) {
      reuse.reset();
      work_.wait(lock, has_work);
    }
    if (!reuse) reuse.emplace();
    auto job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    apply_threads();
    job();
    job = nullptr;
    lock.lock();
  }
}

void set_threads(int count) { wanted_threads.store(count); }

int threads() {
  const int wanted = wanted_threads.load();
  return wanted > 0 ? wanted : at::get_num_threads();
}

}  // namespace musicldm::runtime
