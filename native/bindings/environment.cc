#include "bindings/environment.h"

#include "runtime/error.h"

namespace musicldm::bindings {
namespace {

int64_t bytes_of(const runtime::Value& value) {
  if (const auto* tensor = std::get_if<at::Tensor>(&value.data)) {
    return static_cast<int64_t>(tensor->nbytes());
  }
  if (const auto* object = std::get_if<runtime::ObjectPtr>(&value.data)) return (*object)->bytes();
  return 0;
}

void run_completion(napi_env env, napi_value, void*, void* data) {
  const std::unique_ptr<Environment::Completion> completion(
      static_cast<Environment::Completion*>(data));
  if (!env) return;  // the environment is being torn down
  try {
    const Napi::HandleScope scope(env);
    (*completion)(Napi::Env(env));
  } catch (const Napi::Error&) {
    return;  // it takes no values any more: a worker that was terminated just now
  }
}

// `process.exit()` and uncaught exceptions run no cleanup hooks in the main thread; this they do
// run.
void on_exit(Napi::Env env, const std::function<void()>& action) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto listener = Napi::Function::New(env, [action](const Napi::CallbackInfo&) { action(); });
  process.Get("once").As<Napi::Function>().Call(process,
                                                {Napi::String::New(env, "exit"), listener});
}

}  // namespace

void Environment::create(Napi::Env env) {
  auto holder = std::make_unique<std::shared_ptr<Environment>>(new Environment);
  (*holder)->start_queue(env);
  on_exit(env, [environment = *holder] { environment->end(); });
  // Hooks run in reverse order: this one runs before Node ends the queue that was made above.
  env.AddCleanupHook([environment = *holder] { environment->end(); });
  env.SetInstanceData<std::shared_ptr<Environment>>(holder.release());
}

Environment& Environment::of(Napi::Env env) {
  return **env.GetInstanceData<std::shared_ptr<Environment>>();
}

Environment::~Environment() = default;

void Environment::start_queue(Napi::Env env) {
  env_ = env;
  const auto name = Napi::String::New(env, "musicldm");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, nullptr, run_completion, &queue_);
  if (status != napi_ok) throw Napi::Error::New(env, "Could not create the completion queue");
  napi_unref_threadsafe_function(env, queue_);
}

// Waits for this environment's jobs, which end at their next block: the static destructors of
// libtorch may come next, and a job must not compute beside them.
void Environment::end() {
  token_->cancel();
  std::unique_lock lock(mutex_);
  queue_ = nullptr;
  idle_.wait(lock, [this] { return queued_jobs_ == 0; });
}

void Environment::post(Completion completion) {
  const std::lock_guard lock(mutex_);
  if (!queue_) return;
  auto data = std::make_unique<Completion>(std::move(completion));
  if (napi_call_threadsafe_function(queue_, data.get(), napi_tsfn_nonblocking) == napi_ok) {
    data.release();
  }
}

void Environment::job_started() {
  if (pending_jobs_++ == 0) napi_ref_threadsafe_function(env_, queue_);
  const std::lock_guard lock(mutex_);
  ++queued_jobs_;
}

void Environment::job_left() {
  const std::lock_guard lock(mutex_);
  if (--queued_jobs_ == 0) idle_.notify_all();
}

void Environment::job_finished() {
  if (--pending_jobs_ == 0) napi_unref_threadsafe_function(env_, queue_);
}

Napi::Value Environment::wrap(Napi::Env env, runtime::Value value) {
  auto handle = std::make_unique<Handle>();
  handle->bytes = bytes_of(value);
  handle->value = std::move(value);
  ++live_handles_;
  live_bytes_ += handle->bytes;
  Napi::MemoryManagement::AdjustExternalMemory(env, handle->bytes);
  auto finalize = [environment = shared_from_this()](Napi::BasicEnv basic, Handle* finalized) {
    environment->dispose(Napi::Env(basic), *finalized);
    delete finalized;
  };
  const auto external = Napi::External<Handle>::New(env, handle.get(), finalize);
  handle.release();  // the finalizer's from here on
  return external;
}

void Environment::dispose(Napi::Env env, Handle& handle) {
  if (!handle.live) return;
  handle.live = false;
  handle.value = runtime::Value();
  --live_handles_;
  live_bytes_ -= handle.bytes;
  Napi::MemoryManagement::AdjustExternalMemory(env, -handle.bytes);
}

Handle& unwrap(const Napi::Value& value) {
  auto* handle = value.As<Napi::External<Handle>>().Data();
  if (!handle || handle->magic != Handle::kMagic) {
    throw runtime::expected("E_ARGUMENT", "a handle of this addon", "value", "another external");
  }
  if (!handle->live) throw runtime::Error("E_DISPOSED", "The object was disposed before this call");
  return *handle;
}

}  // namespace musicldm::bindings
