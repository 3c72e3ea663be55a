// A file in memory, without reading it.
#pragma once

#include <cstddef>
#include <string>

namespace musicldm::checkpoint {

// A private, copy-on-write map of a whole file: reading brings in the pages of the page cache;
// writing (training on mapped weights) changes this process's copy and never the file.
//
// The file must keep its length while it is mapped: reading a page beyond the new end of a file
// that somebody truncated in place ends the process (SIGBUS). Replacing the file by rename, as
// `write_file` does, is safe, since the map keeps the old one.
class Mapping {
 public:
  // Throws E_IO where the file cannot be opened or is not a regular file.
  explicit Mapping(const std::string& path);
  ~Mapping();
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  char* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  char* data_ = nullptr;  // nullptr for an empty file
  size_t size_ = 0;
};

}  // namespace musicldm::checkpoint
