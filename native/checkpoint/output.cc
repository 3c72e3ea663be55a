#include "checkpoint/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "checkpoint/fault.h"
#include "runtime/cancel.h"

namespace musicldm::checkpoint {

namespace {

constexpr const char* kWhat = "a writable file";
constexpr size_t kChunkBytes = size_t{16} << 20;  // between two looks at the abort flag

std::string temporary_name(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  const std::filesystem::path target(path);
  const std::string name = "." + target.filename().string() + "." + std::to_string(getpid()) + "." +
                           std::to_string(counter++) + ".tmp";
  return (target.parent_path() / name).string();
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(temporary_name(path)) {
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) reject_io(kWhat, path_, errno);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t size) {
  const char* next = static_cast<const char*>(data);
  while (size > 0) {
    runtime::throw_if_cancelled();
    const ssize_t written = ::write(descriptor_, next, std::min(size, kChunkBytes));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) reject_io(kWhat, path_, errno);
    next += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) reject_io(kWhat, path_, errno);
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) reject_io(kWhat, path_, errno);
  if (rename(temporary_.c_str(), path_.c_str()) != 0) reject_io(kWhat, path_, errno);
  temporary_.clear();
  sync_folder();
}

// Makes the rename itself durable; a file system that cannot do so for folders is left alone.
void AtomicFile::sync_folder() const {
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  fsync(descriptor);
  close(descriptor);
}

}  // namespace musicldm::checkpoint
