#include "checkpoint/fault.h"

#include <system_error>

#include "runtime/error.h"

namespace musicldm::checkpoint {

namespace {

constexpr size_t kQuotedBytes = 120;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

std::string show_name(const std::string& text) {
  size_t length = text.size();
  if (length > kQuotedBytes) {
    length = kQuotedBytes;
    while (length > 0 && is_continuation(text[length])) --length;
  }
  std::string out = "\"";
  for (size_t i = 0; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    out += byte < 0x20 || byte == 0x7F ? '?' : text[i];
  }
  return out + (length < text.size() ? "...\"" : "\"");
}

void reject(const std::string& file, const std::string& what, const std::string& name,
            const std::string& received) {
  throw runtime::Error("E_CHECKPOINT", "Expected " + what + " for " + name + " in " + file +
                                           " but received " + received);
}

void reject_io(const std::string& what, const std::string& path, int error) {
  throw runtime::Error("E_IO", "Expected " + what + " for " + path + " but received \"" +
                                   std::generic_category().message(error) + "\"");
}

}  // namespace musicldm::checkpoint
