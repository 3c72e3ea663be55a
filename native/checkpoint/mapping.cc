#include "checkpoint/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "checkpoint/fault.h"

namespace musicldm::checkpoint {

namespace {

// Maps an open file; returns an errno value, 0 on success.
int map_file(int descriptor, char*& data, size_t& size) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return errno;
  if (S_ISDIR(status.st_mode)) return EISDIR;
  if (!S_ISREG(status.st_mode)) return EINVAL;
  size = static_cast<size_t>(status.st_size);
  if (size == 0) return 0;
  // NORESERVE: pages are copied only where somebody writes, so no swap has to stand behind them.
  constexpr int kFlags = MAP_PRIVATE | MAP_NORESERVE;
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, kFlags, descriptor, 0);
  if (address == MAP_FAILED) return errno;
  data = static_cast<char*>(address);
  return 0;
}

}  // namespace

Mapping::Mapping(const std::string& path) {
  // NONBLOCK: opening a named pipe must fail, not wait.
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) reject_io("a readable checkpoint file", path, errno);
  const int error = map_file(descriptor, data_, size_);
  close(descriptor);
  if (error != 0) reject_io("a readable checkpoint file", path, error);
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace musicldm::checkpoint
