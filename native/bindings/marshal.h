// Conversion between JavaScript values and runtime values. Runs on the JavaScript thread.
#pragma once

#include <napi.h>

#include "runtime/error.h"
#include "runtime/value.h"

namespace musicldm::bindings {

// Copies plain data and typed arrays; handles become the tensors and objects that they hold.
runtime::Value from_javascript(const Napi::Value& value);

// Tensors become { handle, shape, dtype, device }, objects { handle }, TypedArray a typed array
// over the tensor's own memory.
Napi::Value to_javascript(Napi::Env env, runtime::Value value);

// An Error object with `code`.
Napi::Object to_javascript(Napi::Env env, const runtime::Error& error);

}  // namespace musicldm::bindings
