// Opens libtorch for the main addon, which names it by soname only and so needs it to be in the
// process already. This addon links against nothing but Node-API.

#include <dlfcn.h>
#include <node_api.h>

#include <string>

namespace musicldm::loader {
namespace {

// Libraries stay until the process ends: threads of libtorch outlive the environment that opened
// it.
constexpr int kForEveryone = RTLD_NOW | RTLD_GLOBAL | RTLD_NODELETE;
constexpr int kForItself = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;

std::string string_argument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  size_t length = 0;
  if (napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr) != napi_ok || count < 1 ||
      napi_get_value_string_utf8(env, argument, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, "Expected a string for path");
    return {};
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env, argument, text.data(), length + 1, &length);
  return text;
}

napi_value open_library(napi_env env, napi_callback_info info, int flags) {
  const std::string path = string_argument(env, info);
  if (!path.empty() && dlopen(path.c_str(), flags) == nullptr) {
    const char* reason = dlerror();
    napi_throw_error(env, nullptr, reason != nullptr ? reason : "dlopen failed");
  }
  return nullptr;
}

napi_value open(napi_env env, napi_callback_info info) {
  return open_library(env, info, kForEveryone);
}

napi_value pin(napi_env env, napi_callback_info info) {
  return open_library(env, info, kForItself);
}

void set_string(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value = nullptr;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok) {
    napi_set_named_property(env, object, name, value);
  }
}

napi_value build_info(napi_env env, napi_callback_info) {
  napi_value object = nullptr;
  napi_value cxx11_abi = nullptr;
  napi_value napi_version = nullptr;
  napi_create_object(env, &object);
  set_string(env, object, "torchVersion", MUSICLDM_TORCH_VERSION);
  napi_get_boolean(env, _GLIBCXX_USE_CXX11_ABI != 0, &cxx11_abi);
  napi_set_named_property(env, object, "cxx11Abi", cxx11_abi);
  napi_create_uint32(env, NAPI_VERSION, &napi_version);
  napi_set_named_property(env, object, "napiVersion", napi_version);
  return object;
}

void set_function(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace
}  // namespace musicldm::loader

NAPI_MODULE_INIT() {
  namespace loader = musicldm::loader;
  loader::set_function(env, exports, "open", loader::open);
  loader::set_function(env, exports, "pin", loader::pin);
  loader::set_function(env, exports, "buildInfo", loader::build_info);
  return exports;
}
