// Errors of the checkpoint stem. A file is hostile until shown otherwise, so what a message quotes
// from it is clipped and made printable.
#pragma once

#include <string>

namespace musicldm::checkpoint {

// A name out of a file, for a message: quoted, printable, at most 120 bytes.
std::string show_name(const std::string& text);

// Throws E_CHECKPOINT: "Expected <what> for <name> in <file> but received <received>".
[[noreturn]] void reject(const std::string& file, const std::string& what, const std::string& name,
                         const std::string& received);

// Throws E_IO with the system's reason (an errno value) for an operation on a path.
[[noreturn]] void reject_io(const std::string& what, const std::string& path, int error);

}  // namespace musicldm::checkpoint
