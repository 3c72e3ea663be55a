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

Value entry_value(const checkpoint::Header& header, const checkpoint::Entry& entry, int64_t file) {
  List shape(entry.shape.begin(), entry.shape.end());
  return Map{{"name", entry.name},
             {"dtype", entry.dtype->name},
             {"shape", std::move(shape)},
             {"bytes", static_cast<int64_t>(entry.end - entry.begin)},
             {"offset", static_cast<int64_t>(header.data_start + entry.begin)},
             {"file", file}};
}

// { name, dtype, shape, bytes, offset in the file, index of the file }
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

// open(paths) -> { checkpoint, entries, metadata }
Value open(const Args& args) {
  std::vector<std::string> paths;
  for (const Value& path : args.list(0)) paths.push_back(runtime::to_string(path, "path"));
  const auto opened = std::make_shared<Checkpoint>(paths);
  return Map{{"checkpoint", runtime::ObjectPtr(opened)},
             {"entries", entries(*opened)},
             {"metadata", metadata(*opened)}};
}

// tensor(handle, name, dtype?) -> Tensor, over the file's memory unless the dtype changes
Value tensor(const Args& args) {
  const at::Tensor stored = args.object<Checkpoint>(0)->tensor(args.string(1));
  return args.has(2) ? stored.to(runtime::parse_dtype(args.string(2))) : stored;
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
  runtime::add_op("checkpoint.write", write);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
