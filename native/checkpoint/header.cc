#include "checkpoint/header.h"

#include <algorithm>
#include <tuple>

#include "checkpoint/fault.h"
#include "checkpoint/sax.h"

namespace musicldm::checkpoint {

namespace {

constexpr uint64_t kLengthBytes = 8;

uint64_t read_length(const char* bytes) {
  uint64_t length = 0;
  for (uint64_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
  return length;
}

// Bytes of a shape; false where the count overflows, also of the strides of an empty tensor.
bool count_bytes(const Entry& entry, uint64_t& bytes) {
  int64_t elements = 1;
  int64_t span = entry.dtype->bits;  // as if no size were 0
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(span, std::max<int64_t>(size, 1), &span)) return false;
    elements *= size;
  }
  const auto bits = static_cast<uint64_t>(elements * entry.dtype->bits);
  bytes = bits / 8;
  return bits % 8 == 0;
}

void check_entry(const std::string& file, const Entry& entry, uint64_t data_bytes) {
  const std::string name = "tensor " + show_name(entry.name);
  const std::string range = std::to_string(entry.begin) + ".." + std::to_string(entry.end);
  if (entry.begin > entry.end || entry.end > data_bytes) {
    reject(file, "data_offsets within " + std::to_string(data_bytes) + " bytes of data", name,
           range);
  }
  uint64_t bytes = 0;
  if (!count_bytes(entry, bytes)) {
    reject(file, "a shape whose byte count is whole and below 2^63", name, "an overflow");
  }
  if (bytes != entry.end - entry.begin) {
    reject(file, std::to_string(bytes) + " bytes by shape and dtype", name,
           std::to_string(entry.end - entry.begin));
  }
}

// Entries must follow each other without a gap and end where the file ends.
void check_cover(const std::string& file, const std::vector<Entry>& entries, uint64_t data_bytes) {
  uint64_t position = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != position) {
      reject(file, "data without holes or overlaps, at " + std::to_string(position),
             "tensor " + show_name(entry.name), std::to_string(entry.begin));
    }
    position = entry.end;
  }
  if (position != data_bytes) {
    reject(file, "tensors that cover " + std::to_string(data_bytes) + " bytes of data",
           "the header", std::to_string(position) + " bytes");
  }
}

}  // namespace

Header parse_header(const std::string& file, const char* bytes, size_t size) {
  if (size < kLengthBytes) {
    reject(file, "at least 8 bytes", "the file", std::to_string(size));
  }
  const uint64_t length = read_length(bytes);
  if (length > kMaxHeaderBytes || length > size - kLengthBytes) {
    reject(file, "a header length within the file and at most 100000000", "the header",
           std::to_string(length));
  }
  const char* text = bytes + kLengthBytes;
  if (length == 0 || text[0] != '{') reject(file, "a leading \"{\"", "the header", "none");

  Header header;
  HeaderSax sax(file, header);
  nlohmann::json::sax_parse(text, text + length, &sax);

  header.data_start = kLengthBytes + length;
  const uint64_t data_bytes = size - header.data_start;
  for (const Entry& entry : header.entries) check_entry(file, entry, data_bytes);
  std::sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  check_cover(file, header.entries, data_bytes);
  return header;
}

}  // namespace musicldm::checkpoint
