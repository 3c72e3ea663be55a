// What the machine reaches at best, measured.
#include "kernels/rates.h"

#include <ATen/Parallel.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/ones.h>

#include <chrono>
#include <numeric>
#include <vector>

#include "kernels/cpu/dispatch.h"
#include "runtime/registry.h"

namespace musicldm::bindings {
namespace {

using runtime::Args;
using runtime::Map;
using runtime::Value;

constexpr double kLeastSeconds = 0.05;

// Operations per second of `work`, which takes a number of rounds and returns the operations done.
// The rounds grow until they take long enough to be timed.
template <class Work>
double rate(int64_t rounds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  while (true) {
    const auto start = Clock::now();
    const double operations = work(rounds);
    const std::chrono::duration<double> seconds = Clock::now() - start;
    if (seconds.count() >= kLeastSeconds) return operations / seconds.count();
    rounds *= 2;
  }
}

double fma_rate() {
  const std::string capability = kernels::kernels().name;
  std::vector<double> done(static_cast<size_t>(at::get_num_threads()));
  return rate(1 << 20, [&](int64_t rounds) {
    at::parallel_for(0, static_cast<int64_t>(done.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) done[i] = kernels::run_fma_loop(capability, rounds);
    });
    return std::accumulate(done.begin(), done.end(), 0.0);
  });
}

double product_rate() {
  constexpr int64_t kSize = 1024;
  const at::Tensor a = at::ones({kSize, kSize});
  at::Tensor c = at::mm(a, a);
  return rate(1, [&](int64_t rounds) {
    for (int64_t i = 0; i < rounds; ++i) at::mm_out(c, a, a);
    return 2.0 * kSize * kSize * kSize * static_cast<double>(rounds);
  });
}

// rates() -> { capability, fmaGflops, productGflops }, of all threads together: multiply-adds in
// registers, and libtorch's product of two matrices.
Value rates(const Args&) {
  return Map{{"capability", kernels::kernels().name},
             {"fmaGflops", fma_rate() / 1e9},
             {"productGflops", product_rate() / 1e9}};
}

const bool registered = [] {
  runtime::add_op("kernels.rates", rates);
  return true;
}();

}  // namespace
}  // namespace musicldm::bindings
