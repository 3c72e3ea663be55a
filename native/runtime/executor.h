// One thread per device that runs every op of that device, first in first out, so that libtorch's
// thread-local state (gradient mode, OpenMP team) is the same for all of them.
#pragma once

#include <c10/core/Device.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

namespace musicldm::runtime {

class Executor {
 public:
  // The executor of a device, started on first use. Lives until the process ends.
  static Executor& of(c10::Device device);

  // Appends a job. Jobs must not throw.
  void submit(std::function<void()> job);

 private:
  Executor() = default;
  void run();

  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<std::function<void()>> jobs_;
};

// Threads that one op may use inside libtorch; takes effect with the next job. 1..1024.
void set_threads(int count);
int threads();

}  // namespace musicldm::runtime
