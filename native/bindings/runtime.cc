// Ops of the runtime itself.
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include "runtime/cancel.h"
#include "runtime/error.h"
#include "runtime/executor.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

Value info(const Args&) {
  return Map{{"torchVersion", MUSICLDM_TORCH_VERSION},
             {"config", at::show_config()},
             {"mkl", at::hasMKL()},
             {"onednn", at::hasMKLDNN()},
             {"cpuCapability", at::get_cpu_capability()},
             {"threads", runtime::threads()}};
}

// The CUDA half has to be loaded before this is asked.
Value cuda_devices(const Args&) {
  if (!at::hasCUDA()) return Map{{"count", 0}, {"reason", "libtorch_cuda is not loaded"}};
  const auto count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
  return Map{{"count", count},
             {"reason", count > 0 ? Value() : Value("the driver reports no CUDA device")}};
}

Value set_threads(const Args& args) {
  const int64_t count = args.integer(0);
  if (count < 1 || count > 1024) {
    throw runtime::expected("E_ARGUMENT", "an integer in 1..1024", "threads",
                            args.at(0).describe());
  }
  runtime::set_threads(static_cast<int>(count));
  return Value();
}

Value create_token(const Args&) { return runtime::ObjectPtr(new runtime::CancelToken); }

Value cancel(const Args& args) {
  args.object<runtime::CancelToken>(0)->cancel();
  return Value();
}

const bool registered = [] {
  runtime::add_op("runtime.info", info);
  runtime::add_op("runtime.cuda_devices", cuda_devices);
  runtime::add_op("runtime.set_threads", set_threads);
  runtime::add_op("runtime.create_token", create_token);
  runtime::add_op("runtime.cancel", cancel);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
