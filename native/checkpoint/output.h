// A file that appears at once or not at all.
#pragma once

#include <cstddef>
#include <string>

namespace musicldm::checkpoint {

// Bytes go to a temporary file beside the target; `commit` synchronises and renames it. Without a
// commit the destructor removes it. Every failure throws E_IO naming the target.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, size_t size);
  void commit();

 private:
  void sync_folder() const;

  std::string path_;
  std::string temporary_;
  int descriptor_ = -1;
};

}  // namespace musicldm::checkpoint
