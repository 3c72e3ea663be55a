// The entry of the addon: one dispatcher for every op.
#include <napi.h>

#include <optional>
#include <utility>
#include <variant>

#include "bindings/environment.h"
#include "bindings/marshal.h"
#include "runtime/block_cache.h"
#include "runtime/cancel.h"
#include "runtime/executor.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::CancelToken;
using runtime::Value;

using Outcome = std::variant<Value, runtime::Error>;

Args read_arguments(const Napi::CallbackInfo& info) {
  const std::string op = info[0].As<Napi::String>().Utf8Value();
  Value values = from_javascript(info[1]);
  return Args(op, std::move(std::get<runtime::List>(values.data)));
}

// Throws the C++ exception in flight as a JavaScript exception. An environment that is ending, such
// as a terminated worker's, takes none, and node-addon-api would end the process over that.
void throw_current_exception(Napi::Env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    napi_throw(env, error.Value());
  } catch (...) {
    const auto error = runtime::translate_current_exception();
    try {
      napi_throw(env, to_javascript(env, error));
    } catch (const Napi::Error&) {
      return;
    }
  }
}

template <class Body>
Napi::Value guarded(Napi::Env env, Body body) {
  try {
    return body();
  } catch (...) {
    throw_current_exception(env);
    return Napi::Value();
  }
}

Outcome run(const runtime::Op& op, const Args& args, const CancelToken* caller,
            const CancelToken* environment) {
  try {
    const runtime::CancelScope scope(caller, environment);
    runtime::throw_if_cancelled();
    return op(args);
  } catch (...) {
    return runtime::translate_current_exception();
  }
}

void settle(Napi::Env env, Napi::Promise::Deferred deferred, Outcome& outcome) {
  Environment::of(env).job_finished();
  if (auto* error = std::get_if<runtime::Error>(&outcome)) {
    deferred.Reject(to_javascript(env, *error));
    return;
  }
  try {
    deferred.Resolve(to_javascript(env, std::move(std::get<Value>(outcome))));
  } catch (...) {
    deferred.Reject(to_javascript(env, runtime::translate_current_exception()));
  }
}

struct Job {
  const runtime::Op& op;
  std::optional<Args> args;
  std::shared_ptr<CancelToken> token;
  std::shared_ptr<Environment> environment;
  Napi::Promise::Deferred deferred;

  void operator()() {
    auto outcome =
        std::make_shared<Outcome>(run(op, *args, token.get(), environment->token().get()));
    args.reset();
    environment->post([deferred = deferred, outcome = std::move(outcome)](Napi::Env env) {
      settle(env, deferred, *outcome);
    });
  }
};

// call(op, args, token?) -> Promise
Napi::Value call(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return guarded(env, [&]() -> Napi::Value {
    Args args = read_arguments(info);
    const auto& op = runtime::find_op(info[0].As<Napi::String>().Utf8Value());
    std::shared_ptr<CancelToken> token;
    if (info.Length() > 2 && info[2].IsExternal()) {
      token = Args("call", {unwrap(info[2]).value}).object<CancelToken>(0);
    }
    auto& environment = Environment::of(env);
    if (environment.token()->cancelled())
      throw runtime::Error("E_ABORTED", "The process is ending");
    auto deferred = Napi::Promise::Deferred::New(env);
    auto& executor = runtime::Executor::of(args.device());
    auto job = std::make_shared<Job>(
        Job{op, std::move(args), std::move(token), environment.shared_from_this(), deferred});
    environment.job_started();
    executor.submit([job = std::move(job), owner = environment.shared_from_this()]() mutable {
      (*job)();
      job.reset();
      owner->job_left();
    });
    return deferred.Promise();
  });
}

// callSync(op, args) -> value; only for ops that take microseconds
Napi::Value call_sync(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Args args = read_arguments(info);
    const auto& op = runtime::find_op(info[0].As<Napi::String>().Utf8Value());
    return to_javascript(info.Env(), op(args));
  });
}

Napi::Value dispose(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    auto* handle = info[0].As<Napi::External<Handle>>().Data();
    Environment::of(info.Env()).dispose(info.Env(), *handle);
    return info.Env().Undefined();
  });
}

Napi::Value memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto& environment = Environment::of(info.Env());
    auto result = Napi::Object::New(info.Env());
    result.Set("handles", static_cast<double>(environment.live_handles()));
    result.Set("bytes", static_cast<double>(environment.live_bytes()));
    return result;
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  guarded(env, [&]() -> Napi::Value {
    runtime::install_block_cache();
    Environment::create(env);
    exports.Set("call", Napi::Function::New(env, call, "call"));
    exports.Set("callSync", Napi::Function::New(env, call_sync, "callSync"));
    exports.Set("dispose", Napi::Function::New(env, dispose, "dispose"));
    exports.Set("memory", Napi::Function::New(env, memory, "memory"));
    return exports;
  });
  return exports;
}

}  // namespace
}  // namespace musicldm::bindings

static Napi::Object initialise_addon(Napi::Env env, Napi::Object exports) {
  return musicldm::bindings::initialise(env, exports);
}
NODE_API_MODULE(musicldm, initialise_addon)
