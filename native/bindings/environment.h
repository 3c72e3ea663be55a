// What one JavaScript environment (the main thread or a worker) owns: its queue of completions, its
// live handles, and the token that cancels its jobs when it ends.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "runtime/cancel.h"
#include "runtime/value.h"

namespace musicldm::bindings {

// A tensor or object that JavaScript holds. Freed by `dispose` or by the garbage collector.
struct Handle {
  static constexpr uint64_t kMagic = 0x6d757369636c646dULL;
  uint64_t magic = kMagic;
  runtime::Value value;
  int64_t bytes = 0;
  bool live = true;
};

class Environment : public std::enable_shared_from_this<Environment> {
 public:
  using Completion = std::function<void(Napi::Env)>;

  static void create(Napi::Env env);
  static Environment& of(Napi::Env env);
  ~Environment();

  // Runs a completion on this environment's thread; drops it when the environment has ended.
  void post(Completion completion);

  // From its start a job is pending until its promise settles, and queued until the executor has
  // let go of it. While jobs are pending the event loop stays alive.
  void job_started();
  void job_left();  // on the executor's thread
  void job_finished();

  Napi::Value wrap(Napi::Env env, runtime::Value value);
  void dispose(Napi::Env env, Handle& handle);

  int64_t live_handles() const { return live_handles_; }
  int64_t live_bytes() const { return live_bytes_; }
  const std::shared_ptr<runtime::CancelToken>& token() const { return token_; }

 private:
  Environment() = default;
  void start_queue(Napi::Env env);
  void end();

  std::mutex mutex_;
  std::condition_variable idle_;
  napi_threadsafe_function queue_ = nullptr;  // null once the environment has ended
  int64_t queued_jobs_ = 0;
  napi_env env_ = nullptr;
  int64_t pending_jobs_ = 0;
  int64_t live_handles_ = 0;
  int64_t live_bytes_ = 0;
  std::shared_ptr<runtime::CancelToken> token_ = std::make_shared<runtime::CancelToken>();
};

// The handle behind an External; E_ARGUMENT when it is not ours, E_DISPOSED when it was disposed.
Handle& unwrap(const Napi::Value& value);

}  // namespace musicldm::bindings
