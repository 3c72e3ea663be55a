#include "runtime/value.h"

#include <c10/core/ScalarType.h>

#include <array>
#include <cmath>
#include <sstream>
#include <utility>

#include "runtime/error.h"

namespace musicldm::runtime {
namespace {

constexpr std::array<std::pair<const char*, at::ScalarType>, 8> kDtypes = {{
    {"float32", at::kFloat},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"int64", at::kLong},
    {"bool", at::kBool},
    {"float64", at::kDouble},
    {"int32", at::kInt},
    {"uint8", at::kByte},
}};

template <class T>
const T& require(const Value& value, const char* what, const std::string& name) {
  const T* found = std::get_if<T>(&value.data);
  if (!found) throw expected("E_ARGUMENT", what, name, value.describe());
  return *found;
}

template <class T, class Convert>
std::vector<T> convert_list(const Value& value, const std::string& name, Convert convert) {
  std::vector<T> result;
  for (const auto& item : to_list(value, name)) result.push_back(convert(item, name));
  return result;
}

const Value& require_key(const Map& map, const std::string& key) {
  const auto entry = map.find(key);
  if (entry == map.end()) throw expected("E_ARGUMENT", "a value", key, "nothing");
  return entry->second;
}

struct Describe {
  std::string operator()(std::monostate) const { return "null"; }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(double value) const {
    std::ostringstream text;
    text << "number " << value;
    return text.str();
  }
  std::string operator()(const std::string& value) const { return "\"" + value + "\""; }
  std::string operator()(const at::Tensor& value) const {
    return "Tensor " + dtype_name(value.scalar_type()) + " " + shape_text(value.sizes());
  }
  std::string operator()(const TypedArray& value) const { return (*this)(value.tensor); }
  std::string operator()(const ObjectPtr& value) const { return value->type(); }
  std::string operator()(const List& value) const {
    return "list of " + std::to_string(value.size());
  }
  std::string operator()(const Map&) const { return "object"; }
};

at::Device device_of(const List& values) {
  const at::Device cpu(at::kCPU);
  for (const auto& value : values) {
    auto device = cpu;
    if (const auto* tensor = std::get_if<at::Tensor>(&value.data)) device = tensor->device();
    if (const auto* object = std::get_if<ObjectPtr>(&value.data)) device = (*object)->device();
    if (const auto* list = std::get_if<List>(&value.data)) device = device_of(*list);
    if (!device.is_cpu()) return device;
  }
  return cpu;
}

}  // namespace

std::string Value::describe() const { return std::visit(Describe{}, data); }

bool to_boolean(const Value& value, const std::string& name) {
  return require<bool>(value, "a boolean", name);
}

double to_number(const Value& value, const std::string& name) {
  return require<double>(value, "a number", name);
}

int64_t to_integer(const Value& value, const std::string& name) {
  const double number = to_number(value, name);
  constexpr double kLargest = 9007199254740991.0;  // 2^53 - 1
  if (std::trunc(number) != number || std::abs(number) > kLargest) {
    throw expected("E_ARGUMENT", "an integer", name, value.describe());
  }
  return static_cast<int64_t>(number);
}

const std::string& to_string(const Value& value, const std::string& name) {
  return require<std::string>(value, "a string", name);
}

const at::Tensor& to_tensor(const Value& value, const std::string& name) {
  return require<at::Tensor>(value, "a Tensor", name);
}

const List& to_list(const Value& value, const std::string& name) {
  return require<List>(value, "a list", name);
}

const Map& to_map(const Value& value, const std::string& name) {
  return require<Map>(value, "an object", name);
}

const ObjectPtr& to_object(const Value& value, const std::string& name) {
  return require<ObjectPtr>(value, "a native object", name);
}

const Value* find(const Map& map, const std::string& key) {
  const auto entry = map.find(key);
  return entry == map.end() || entry->second.is_null() ? nullptr : &entry->second;
}

bool get_boolean(const Map& map, const std::string& key) {
  return to_boolean(require_key(map, key), key);
}

double get_number(const Map& map, const std::string& key) {
  return to_number(require_key(map, key), key);
}

int64_t get_integer(const Map& map, const std::string& key) {
  return to_integer(require_key(map, key), key);
}

const std::string& get_string(const Map& map, const std::string& key) {
  return to_string(require_key(map, key), key);
}

std::vector<int64_t> get_integers(const Map& map, const std::string& key) {
  return convert_list<int64_t>(require_key(map, key), key, to_integer);
}

std::vector<double> get_numbers(const Map& map, const std::string& key) {
  return convert_list<double>(require_key(map, key), key, to_number);
}

std::vector<std::string> get_strings(const Map& map, const std::string& key) {
  return convert_list<std::string>(require_key(map, key), key, to_string);
}

std::string dtype_name(at::ScalarType dtype) {
  for (const auto& [name, type] : kDtypes) {
    if (type == dtype) return name;
  }
  return c10::toString(dtype);
}

at::ScalarType parse_dtype(const std::string& name) {
  for (const auto& [known, type] : kDtypes) {
    if (name == known) return type;
  }
  throw expected("E_DTYPE", "float32, float16, bfloat16, int64 or bool", "dtype", name);
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (const auto size : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(size);
  }
  return text + "]";
}

const Value& Args::at(size_t i) const {
  if (i >= values_.size()) throw expected("E_ARGUMENT", "a value", name(i), "nothing");
  return values_[i];
}

std::vector<int64_t> Args::integers(size_t i) const {
  return convert_list<int64_t>(at(i), name(i), to_integer);
}

std::vector<double> Args::numbers(size_t i) const {
  return convert_list<double>(at(i), name(i), to_number);
}

std::vector<at::Tensor> Args::tensors(size_t i) const {
  return convert_list<at::Tensor>(at(i), name(i), to_tensor);
}

at::Device Args::device() const { return device_of(values_); }

std::string Args::name(size_t i) const { return "argument " + std::to_string(i) + " of " + op_; }

void Args::throw_wrong_object(size_t i) const {
  throw expected("E_ARGUMENT", "another kind of native object", name(i), at(i).describe());
}

}  // namespace musicldm::runtime
