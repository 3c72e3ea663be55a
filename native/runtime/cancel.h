// Cancelling: a token is shared by the caller and its jobs; long forwards look at it between
// blocks.
#pragma once

#include <atomic>
#include <memory>

#include "runtime/value.h"

namespace musicldm::runtime {

class CancelToken : public Object {
 public:
  std::string type() const override { return "CancelToken"; }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> cancelled_{false};
};

// Makes tokens the ones that `throw_if_cancelled` looks at on this thread, while alive. Null
// tokens never cancel.
class CancelScope {
 public:
  CancelScope(const CancelToken* caller, const CancelToken* environment);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
};

// Throws E_ABORTED when the job that runs on this thread has been cancelled.
void throw_if_cancelled();

}  // namespace musicldm::runtime
