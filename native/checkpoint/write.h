// Writing safetensors files.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>

namespace musicldm::checkpoint {

// Writes the tensors so that the path holds either its old content or all of the new one: into a
// temporary file of the same folder, synchronised, then renamed. Tensors are written one after the
// other; only one that is strided or on a device is copied first. The bytes are those of the
// reference writer for the same tensors.
// Throws E_IO (no such folder, disk full, …), E_DTYPE or E_ARGUMENT; then no file is left behind.
void write_file(const std::string& path, const std::map<std::string, at::Tensor>& tensors,
                const std::map<std::string, std::string>& metadata);

// The elements of a tensor in row-major order, copied; what other writers put into their files.
at::Tensor row_major_bytes(const at::Tensor& tensor);

}  // namespace musicldm::checkpoint
