// What crosses the JavaScript boundary, without a word of N-API: values, opaque objects, and typed
// access to the arguments of one call.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace musicldm::runtime {

// Whatever JavaScript holds by handle, apart from tensors.
class Object {
 public:
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
  virtual std::string type() const = 0;
  virtual int64_t bytes() const { return 0; }
  virtual at::Device device() const { return at::Device(at::kCPU); }
};
using ObjectPtr = std::shared_ptr<Object>;

// A result that becomes a typed array in place of a Tensor. Contiguous, on the CPU.
struct TypedArray {
  at::Tensor tensor;
};

struct Value;
using List = std::vector<Value>;
using Map = std::map<std::string, Value>;

// A JavaScript value. Typed arrays arrive as 1-D tensors that own a copy.
struct Value {
  using Data = std::variant<std::monostate, bool, double, std::string, at::Tensor, TypedArray,
                            ObjectPtr, List, Map>;
  Data data;

  Value() = default;
  Value(bool value) : data(value) {}
  Value(double value) : data(value) {}
  Value(int64_t value) : data(static_cast<double>(value)) {}
  Value(int value) : data(static_cast<double>(value)) {}
  Value(const char* value) : data(std::string(value)) {}
  Value(std::string value) : data(std::move(value)) {}
  Value(at::Tensor value) : data(std::move(value)) {}
  Value(TypedArray value) : data(std::move(value)) {}
  Value(ObjectPtr value) : data(std::move(value)) {}
  Value(List value) : data(std::move(value)) {}
  Value(Map value) : data(std::move(value)) {}

  bool is_null() const { return std::holds_alternative<std::monostate>(data); }
  // For error messages: "number 3", "Tensor float32 [2, 3]", …
  std::string describe() const;
};

// Conversions that name what they convert when it has the wrong type (E_ARGUMENT).
bool to_boolean(const Value& value, const std::string& name);
double to_number(const Value& value, const std::string& name);
int64_t to_integer(const Value& value, const std::string& name);
const std::string& to_string(const Value& value, const std::string& name);
const at::Tensor& to_tensor(const Value& value, const std::string& name);
const List& to_list(const Value& value, const std::string& name);
const Map& to_map(const Value& value, const std::string& name);
const ObjectPtr& to_object(const Value& value, const std::string& name);

// Entries of a map; `find` is null for a key that is absent or null.
const Value* find(const Map& map, const std::string& key);
bool get_boolean(const Map& map, const std::string& key);
double get_number(const Map& map, const std::string& key);
int64_t get_integer(const Map& map, const std::string& key);
const std::string& get_string(const Map& map, const std::string& key);
std::vector<int64_t> get_integers(const Map& map, const std::string& key);
std::vector<double> get_numbers(const Map& map, const std::string& key);
std::vector<std::string> get_strings(const Map& map, const std::string& key);

std::string dtype_name(at::ScalarType dtype);  // "float32"
at::ScalarType parse_dtype(const std::string& name);
std::string shape_text(at::IntArrayRef shape);  // "[2, 3]"

// The arguments of one call.
class Args {
 public:
  Args(std::string op, List values) : op_(std::move(op)), values_(std::move(values)) {}

  size_t size() const { return values_.size(); }
  bool has(size_t i) const { return i < values_.size() && !values_[i].is_null(); }
  const Value& at(size_t i) const;
  at::Tensor tensor(size_t i) const { return to_tensor(at(i), name(i)); }
  double number(size_t i) const { return to_number(at(i), name(i)); }
  int64_t integer(size_t i) const { return to_integer(at(i), name(i)); }
  bool boolean(size_t i) const { return to_boolean(at(i), name(i)); }
  const std::string& string(size_t i) const { return to_string(at(i), name(i)); }
  const Map& map(size_t i) const { return to_map(at(i), name(i)); }
  const List& list(size_t i) const { return to_list(at(i), name(i)); }
  std::vector<int64_t> integers(size_t i) const;
  std::vector<double> numbers(size_t i) const;
  std::vector<at::Tensor> tensors(size_t i) const;

  template <class T>
  std::shared_ptr<T> object(size_t i) const {
    auto object = std::dynamic_pointer_cast<T>(to_object(at(i), name(i)));
    if (!object) throw_wrong_object(i);
    return object;
  }

  // The device of the first argument that is not on the CPU; decides which executor runs the call.
  at::Device device() const;

 private:
  std::string name(size_t i) const;
  [[noreturn]] void throw_wrong_object(size_t i) const;

  std::string op_;
  List values_;
};

}  // namespace musicldm::runtime
