// Turns the JSON of a safetensors header into entries, one token at a time, without a tree: nothing
// that the file nests or repeats can cost more than its own length.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <unordered_set>
#include <vector>

#include "checkpoint/header.h"

namespace musicldm::checkpoint {

// Checks the form (which token may stand where, duplicate keys, types of values); the values
// themselves are checked against the file afterwards. Every refusal throws E_CHECKPOINT.
class HeaderSax : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderSax(const std::string& file, Header& header) : file_(file), header_(header) {}

  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(size_t elements) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(size_t elements) override;
  bool end_array() override;
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override;

 private:
  enum class Where { kOutside, kRoot, kMetadata, kTensor, kShape, kOffsets };

  void tensor_key(const std::string& value);
  void finish_tensor();
  // Where the reader stands, for a message: `"shape" of tensor "x"`.
  std::string place() const;
  // What may stand there, for a message: `a string`.
  std::string wanted() const;
  [[noreturn]] void refuse(const std::string& received) const;

  const std::string& file_;
  Header& header_;
  Where where_ = Where::kOutside;
  std::string key_;    // of the value that comes next
  std::string field_;  // "dtype", "shape" or "data_offsets" inside a tensor
  Entry entry_;
  std::vector<uint64_t> offsets_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
  bool has_metadata_ = false;
  std::unordered_set<std::string> names_;
};

}  // namespace musicldm::checkpoint
