#include "bindings/marshal.h"

#include <ATen/Functions.h>

#include <cstring>

#include "bindings/environment.h"

namespace musicldm::bindings {
namespace {

using runtime::List;
using runtime::Map;
using runtime::Value;

at::ScalarType dtype_of(const Napi::TypedArray& array) {
  switch (array.TypedArrayType()) {
    case napi_float32_array:
      return at::kFloat;
    case napi_float64_array:
      return at::kDouble;
    case napi_int32_array:
      return at::kInt;
    case napi_bigint64_array:
      return at::kLong;
    case napi_uint8_array:
      return at::kByte;
    default:
      throw runtime::expected(
          "E_ARGUMENT", "a Float32Array, Float64Array, Int32Array, BigInt64Array or Uint8Array",
          "data", "another typed array");
  }
}

Value from_typed_array(const Napi::TypedArray& array) {
  const auto count = static_cast<int64_t>(array.ElementLength());
  at::Tensor copy = at::empty({count}, at::TensorOptions().dtype(dtype_of(array)));
  void* source = nullptr;  // asked of the array, since its buffer may be a SharedArrayBuffer
  napi_get_typedarray_info(array.Env(), array, nullptr, nullptr, &source, nullptr, nullptr);
  if (count > 0 && source) std::memcpy(copy.mutable_data_ptr(), source, copy.nbytes());
  return Value(std::move(copy));
}

Value from_array(const Napi::Array& array) {
  List list;
  list.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(from_javascript(array.Get(i)));
  return Value(std::move(list));
}

Value from_plain_object(const Napi::Object& object) {
  Map map;
  const Napi::Array keys = object.GetPropertyNames();
  for (uint32_t i = 0; i < keys.Length(); ++i) {
    const Napi::Value key = keys.Get(i);
    map.emplace(key.As<Napi::String>().Utf8Value(), from_javascript(object.Get(key)));
  }
  return Value(std::move(map));
}

Napi::Array from_sizes(Napi::Env env, at::IntArrayRef sizes) {
  auto array = Napi::Array::New(env, sizes.size());
  for (uint32_t i = 0; i < sizes.size(); ++i) {
    array.Set(i, Napi::Number::New(env, static_cast<double>(sizes[i])));
  }
  return array;
}

template <class Array>
Napi::Value view_of(Napi::Env env, const at::Tensor& tensor) {
  auto* owner = new at::Tensor(tensor);
  auto release = [](Napi::BasicEnv, void*, at::Tensor* held) { delete held; };
  auto buffer = tensor.nbytes() == 0 ? (delete owner, Napi::ArrayBuffer::New(env, 0))
                                     : Napi::ArrayBuffer::New(env, tensor.data_ptr(),
                                                              tensor.nbytes(), release, owner);
  return Array::New(env, static_cast<size_t>(tensor.numel()), buffer, 0);
}

struct ToJavaScript {
  Napi::Env env;

  Napi::Value operator()(std::monostate) const { return env.Null(); }
  Napi::Value operator()(bool value) const { return Napi::Boolean::New(env, value); }
  Napi::Value operator()(double value) const { return Napi::Number::New(env, value); }
  Napi::Value operator()(std::string& value) const { return Napi::String::New(env, value); }

  Napi::Value operator()(at::Tensor& tensor) const {
    auto object = Napi::Object::New(env);
    object.Set("shape", from_sizes(env, tensor.sizes()));
    object.Set("dtype", runtime::dtype_name(tensor.scalar_type()));
    object.Set("device", tensor.device().str());
    object.Set("handle", Environment::of(env).wrap(env, Value(std::move(tensor))));
    return object;
  }

  Napi::Value operator()(runtime::ObjectPtr& value) const {
    auto object = Napi::Object::New(env);
    object.Set("handle", Environment::of(env).wrap(env, Value(std::move(value))));
    return object;
  }

  Napi::Value operator()(runtime::TypedArray& value) const {
    switch (value.tensor.scalar_type()) {
      case at::kFloat:
        return view_of<Napi::Float32Array>(env, value.tensor);
      case at::kDouble:
        return view_of<Napi::Float64Array>(env, value.tensor);
      case at::kInt:
        return view_of<Napi::Int32Array>(env, value.tensor);
      case at::kLong:
        return view_of<Napi::BigInt64Array>(env, value.tensor);
      case at::kByte:
      case at::kBool:
        return view_of<Napi::Uint8Array>(env, value.tensor);
      default:
        throw runtime::expected("E_DTYPE", "a dtype that JavaScript has", "data",
                                runtime::dtype_name(value.tensor.scalar_type()));
    }
  }

  Napi::Value operator()(List& list) const {
    auto array = Napi::Array::New(env, list.size());
    for (uint32_t i = 0; i < list.size(); ++i) array.Set(i, std::visit(*this, list[i].data));
    return array;
  }

  Napi::Value operator()(Map& map) const {
    auto object = Napi::Object::New(env);
    for (auto& [key, value] : map) object.Set(key, std::visit(*this, value.data));
    return object;
  }
};

}  // namespace

Value from_javascript(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return Value();
    case napi_boolean:
      return Value(value.As<Napi::Boolean>().Value());
    case napi_number:
      return Value(value.As<Napi::Number>().DoubleValue());
    case napi_string:
      return Value(value.As<Napi::String>().Utf8Value());
    case napi_external:
      return unwrap(value).value;
    case napi_object:
      if (value.IsTypedArray()) return from_typed_array(value.As<Napi::TypedArray>());
      if (value.IsArray()) return from_array(value.As<Napi::Array>());
      return from_plain_object(value.As<Napi::Object>());
    default:
      throw runtime::expected("E_ARGUMENT", "plain data", "value", "a function, symbol or bigint");
  }
}

Napi::Value to_javascript(Napi::Env env, Value value) {
  return std::visit(ToJavaScript{env}, value.data);
}

Napi::Object to_javascript(Napi::Env env, const runtime::Error& error) {
  auto object = Napi::Error::New(env, error.what()).Value();
  object.Set("code", error.code());
  return object;
}

}  // namespace musicldm::bindings
