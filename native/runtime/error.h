// The one exception type of the native half; the TypeScript half turns it into a MusicLDMError.
#pragma once

#include <stdexcept>
#include <string>

namespace musicldm::runtime {

class Error : public std::runtime_error {
 public:
  // `code` is one of the codes of lib/runtime/errors.ts.
  Error(std::string code, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)) {}
  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

// "Expected <what> for <name> but received <received>".
inline Error expected(const std::string& code, const std::string& what, const std::string& name,
                      const std::string& received) {
  return Error(code, "Expected " + what + " for " + name + " but received " + received);
}

// Maps the exception in flight (ours, libtorch's, the standard library's) to an Error. The only
// place where foreign exceptions are translated; call it inside a catch block.
Error translate_current_exception();

}  // namespace musicldm::runtime
