// Where the time of the kernels goes: two readings of a clock around each operator.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>

namespace musicldm::kernels {

enum class Operator { kWinograd, kDirect, kConv1d, kProduct, kAttention, kNorm, kPack };
inline constexpr std::array kOperatorNames = {"winograd",  "direct", "conv1d", "product",
                                              "attention", "norm",   "pack"};

struct OperatorTotal {
  std::atomic<int64_t> calls = 0;
  std::atomic<int64_t> nanoseconds = 0;
};

// One total for each operator since the start or the last reset.
std::array<OperatorTotal, kOperatorNames.size()>& operator_totals();

// Counts the time from here to the end of the scope.
class OperatorTimer {
 public:
  explicit OperatorTimer(Operator kind) : kind_(kind), start_(Clock::now()) {}
  OperatorTimer(const OperatorTimer&) = delete;
  OperatorTimer& operator=(const OperatorTimer&) = delete;

  ~OperatorTimer() {
    OperatorTotal& total = operator_totals()[static_cast<size_t>(kind_)];
    const auto spent = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_);
    total.nanoseconds += spent.count();
    ++total.calls;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Operator kind_;
  Clock::time_point start_;
};

}  // namespace musicldm::kernels
