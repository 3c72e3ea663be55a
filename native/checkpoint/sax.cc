#include "checkpoint/sax.h"

#include <limits>

#include "checkpoint/fault.h"

namespace musicldm::checkpoint {

namespace {

constexpr const char* kMetadataKey = "__metadata__";

}  // namespace

bool HeaderSax::null() { refuse("null"); }
bool HeaderSax::boolean(bool value) { refuse(value ? "true" : "false"); }
bool HeaderSax::number_integer(number_integer_t value) { refuse(std::to_string(value)); }
bool HeaderSax::number_float(number_float_t, const string_t& text) { refuse(show_name(text)); }
bool HeaderSax::binary(binary_t&) { refuse("binary data"); }

bool HeaderSax::number_unsigned(number_unsigned_t value) {
  constexpr auto kLimit = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const bool fits = value <= kLimit;
  if (where_ == Where::kShape && fits && entry_.shape.size() < kMaxRank) {
    entry_.shape.push_back(static_cast<int64_t>(value));
  } else if (where_ == Where::kOffsets && fits && offsets_.size() < 2) {
    offsets_.push_back(value);
  } else {
    refuse(std::to_string(value));
  }
  return true;
}

bool HeaderSax::string(string_t& value) {
  if (where_ == Where::kMetadata) {
    header_.metadata[key_] = value;
  } else if (where_ == Where::kTensor && field_ == "dtype") {
    entry_.dtype = find_dtype(value);
    if (entry_.dtype == nullptr) refuse(show_name(value));
    has_dtype_ = true;
    field_.clear();
  } else {
    refuse(show_name(value));
  }
  return true;
}

bool HeaderSax::start_object(size_t) {
  if (where_ == Where::kOutside) {
    where_ = Where::kRoot;
  } else if (where_ == Where::kRoot && key_ == kMetadataKey) {
    where_ = Where::kMetadata;
  } else if (where_ == Where::kRoot) {
    entry_ = Entry{};
    entry_.name = key_;
    offsets_.clear();
    has_dtype_ = has_shape_ = has_offsets_ = false;
    where_ = Where::kTensor;
  } else {
    refuse("an object");
  }
  return true;
}

bool HeaderSax::key(string_t& value) {
  if (where_ == Where::kTensor) {
    tensor_key(value);
    return true;
  }
  const bool repeated = where_ == Where::kMetadata ? header_.metadata.contains(value)
                        : value == kMetadataKey    ? has_metadata_
                                                   : !names_.insert(value).second;
  if (repeated) reject(file_, "no name twice", "the header", show_name(value));
  if (where_ == Where::kRoot && value == kMetadataKey) has_metadata_ = true;
  key_ = value;
  return true;
}

void HeaderSax::tensor_key(const std::string& value) {
  const bool repeated = (value == "dtype" && has_dtype_) || (value == "shape" && has_shape_) ||
                        (value == "data_offsets" && has_offsets_);
  const bool known = value == "dtype" || value == "shape" || value == "data_offsets";
  if (repeated || !known) {
    reject(file_, "dtype, shape and data_offsets, once each", "tensor " + show_name(entry_.name),
           show_name(value));
  }
  field_ = value;
}

bool HeaderSax::end_object() {
  if (where_ == Where::kTensor) finish_tensor();
  where_ = where_ == Where::kRoot ? Where::kOutside : Where::kRoot;
  return true;
}

void HeaderSax::finish_tensor() {
  const char* missing = !has_dtype_ ? "dtype" : !has_shape_ ? "shape" : "data_offsets";
  if (!has_dtype_ || !has_shape_ || !has_offsets_) {
    reject(file_, std::string("a \"") + missing + "\"", "tensor " + show_name(entry_.name), "none");
  }
  entry_.begin = offsets_[0];
  entry_.end = offsets_[1];
  header_.entries.push_back(std::move(entry_));
}

bool HeaderSax::start_array(size_t) {
  if (where_ == Where::kTensor && field_ == "shape") {
    where_ = Where::kShape;
  } else if (where_ == Where::kTensor && field_ == "data_offsets") {
    where_ = Where::kOffsets;
  } else {
    refuse("an array");
  }
  return true;
}

bool HeaderSax::end_array() {
  if (where_ == Where::kShape) has_shape_ = true;
  if (where_ == Where::kOffsets) {
    if (offsets_.size() != 2) refuse(std::to_string(offsets_.size()) + " numbers");
    has_offsets_ = true;
  }
  where_ = Where::kTensor;
  field_.clear();
  return true;
}

bool HeaderSax::parse_error(size_t position, const std::string&,
                            const nlohmann::detail::exception&) {
  reject(file_, "valid JSON in UTF-8", "the header",
         "something else at byte " + std::to_string(position));
}

std::string HeaderSax::place() const {
  switch (where_) {
    case Where::kOutside:
      return "the header";
    case Where::kRoot:
      return show_name(key_);
    case Where::kMetadata:
      return "metadata " + show_name(key_);
    default:
      return show_name(field_) + " of tensor " + show_name(entry_.name);
  }
}

std::string HeaderSax::wanted() const {
  switch (where_) {
    case Where::kOutside:
    case Where::kRoot:
      return "an object";
    case Where::kMetadata:
      return "a string";
    case Where::kShape:
      return "at most 64 whole numbers of 0 or more";
    case Where::kOffsets:
      return "two whole numbers of 0 or more";
    case Where::kTensor:
      break;
  }
  return field_ == "dtype" ? "a dtype of the safetensors format" : "an array";
}

void HeaderSax::refuse(const std::string& received) const {
  reject(file_, wanted(), place(), received);
}

}  // namespace musicldm::checkpoint
