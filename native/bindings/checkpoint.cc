// Ops of the checkpoint stem.
#include "checkpoint/checkpoint.h"

#include "checkpoint/write.h"
#include "runtime/error.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using checkpoint::Checkpoint;
using runtime::Args;
using runtime::List;
using runtime::Map;
using runtime::Value;

int64_t byte_count(const checkpoint::Entry& entry) {
  if (entry.strides.empty()) return static_cast<int64_t>(entry.end - entry.begin);
  int64_t elements = 1;
  for (const int64_t size : entry.shape) elements *= size;
  return elements * (entry.dtype->bits / 8);
}

Value entry_value(const checkpoint::Header& header, const checkpoint::Entry& entry, int64_t file) {
  List shape(entry.shape.begin(), entry.shape.end());
  List strides(entry.strides.begin(), entry.strides.end());
  return Map{{"name", entry.name},
             {"dtype", entry.dtype->name},
             {"shape", std::move(shape)},
             {"strides", entry.strides.empty() ? Value() : Value(std::move(strides))},
             {"bytes", byte_count(entry)},
             {"offset", static_cast<int64_t>(header.data_start + entry.begin)},
             {"file", file}};
}

// { name, dtype, shape, strides or null for row-major, bytes of the elements, offset of the first
// in its file, index of the file }
List entries(const Checkpoint& opened) {
  List list;
  int64_t index = 0;
  for (const Checkpoint::File& file : opened.files()) {
    for (const auto& entry : file.header.entries) {
      list.push_back(entry_value(file.header, entry, index));
    }
    ++index;
  }
  return list;
}

// [key, value] pairs, since any text can be a key
List metadata(const Checkpoint& opened) {
  List pairs;
  for (const auto& [key, value] : opened.metadata()) pairs.push_back(List{key, value});
  return pairs;
}

std::vector<int64_t> to_integers(const Value& value, const std::string& name) {
  std::vector<int64_t> integers;
  for (const Value& item : runtime::to_list(value, name)) {
    integers.push_back(runtime::to_integer(item, name));
  }
  return integers;
}

// [name, dtype, shape, strides, begin]
checkpoint::Placement to_placement(const Value& value) {
  const List& fields = runtime::to_list(value, "tensor");
  if (fields.size() != 5) {
    throw runtime::expected("E_ARGUMENT", "five fields", "tensor", std::to_string(fields.size()));
  }
  return {runtime::to_string(fields[0], "name"), runtime::to_string(fields[1], "dtype"),
          to_integers(fields[2], "shape"), to_integers(fields[3], "strides"),
          runtime::to_integer(fields[4], "begin")};
}

checkpoint::Source to_source(const Value& path, const Value& tensors) {
  checkpoint::Source source{runtime::to_string(path, "path"), std::nullopt};
  if (tensors.is_null()) return source;
  auto& placements = source.tensors.emplace();
  for (const Value& tensor : runtime::to_list(tensors, "tensors")) {
    placements.push_back(to_placement(tensor));
  }
  return source;
}

// open(paths, for each path: null or its tensors) -> { checkpoint, entries, metadata }
Value open(const Args& args) {
  std::vector<checkpoint::Source> sources;
  const List& layouts = args.list(1);
  for (const Value& path : args.list(0)) {
    if (sources.size() >= layouts.size()) {
      throw runtime::expected("E_ARGUMENT", "a layout for each path", "layouts", "fewer");
    }
    sources.push_back(to_source(path, layouts[sources.size()]));
  }
  const auto opened = std::make_shared<Checkpoint>(sources);
  return Map{{"checkpoint", runtime::ObjectPtr(opened)},
             {"entries", entries(*opened)},
             {"metadata", metadata(*opened)}};
}

// tensor(handle, name, dtype?) -> Tensor, over the file's memory unless the dtype changes
Value tensor(const Args& args) {
  const at::Tensor stored = args.object<Checkpoint>(0)->tensor(args.string(1));
  return args.has(2) ? stored.to(runtime::parse_dtype(args.string(2))) : stored;
}

// bytes(handle, name, begin, end) -> Uint8Array of row-major elements
Value bytes(const Args& args) {
  const auto opened = args.object<Checkpoint>(0);
  return runtime::TypedArray{opened->bytes(args.string(1), args.integer(2), args.integer(3))};
}

// tensor_bytes(Tensor) -> Uint8Array of row-major elements
Value tensor_bytes(const Args& args) {
  return runtime::TypedArray{checkpoint::row_major_bytes(args.tensor(0))};
}

// write(path, { name: Tensor }, { key: text })
Value write(const Args& args) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& [name, value] : args.map(1)) {
    tensors.emplace(name, runtime::to_tensor(value, "tensor \"" + name + "\""));
  }
  std::map<std::string, std::string> texts;
  for (const auto& [key, value] : args.map(2)) {
    texts.emplace(key, runtime::to_string(value, "metadata \"" + key + "\""));
  }
  checkpoint::write_file(args.string(0), tensors, texts);
  return Value();
}

const bool registered = [] {
  runtime::add_op("checkpoint.open", open);
  runtime::add_op("checkpoint.tensor", tensor);
  runtime::add_op("checkpoint.bytes", bytes);
  runtime::add_op("checkpoint.tensor_bytes", tensor_bytes);
  runtime::add_op("checkpoint.write", write);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
