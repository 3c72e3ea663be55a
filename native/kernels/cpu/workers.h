// Work in libtorch's thread pool. Items are handed out one by one, because cores that share their
// pipelines with a neighbour run at different speeds.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace musicldm::kernels {

// How many workers `items` pieces of work get.
inline int64_t worker_count(int64_t items) {
  if (at::in_parallel_region()) return 1;
  return std::max<int64_t>(1, std::min<int64_t>(items, at::get_num_threads()));
}

// Calls body(item, worker) for every item; a worker does one item at a time.
template <class Body>
void run_items(int64_t items, const Body& body) {
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, worker_count(items), 1, [&](int64_t begin, int64_t end) {
    for (int64_t worker = begin; worker < end; ++worker) {
      for (int64_t item = next++; item < items; item = next++) body(item, worker);
    }
  });
}

}  // namespace musicldm::kernels
