// Toom-Cook F(4, 3) at the points 0, ±3/4, ±3/2 and infinity, whose error is less than half of that
// of 0, ±1, ±2; Lavin and Gray, arXiv 1509.09308; Barabasz et al., arXiv 1803.10986. And F(2, 3) at
// 0, ±1 and infinity.
#pragma once

namespace musicldm::kernels {

inline constexpr float kA = 0.75F;
inline constexpr float kB = 1.5F;
inline constexpr float kA2 = kA * kA;
inline constexpr float kB2 = kB * kB;

// Rows of G: value p of the transformed kernel is sum of row[p][i] * kernel[i].
inline constexpr double kKernelRows4[6][3] = {
    {1 / double{kA2 * kB2}, 0, 0},
    {1 / (2.0 * kA2 * (kA2 - kB2)), kA / (2.0 * kA2 * (kA2 - kB2)), 1 / (2.0 * (kA2 - kB2))},
    {1 / (2.0 * kA2 * (kA2 - kB2)), -kA / (2.0 * kA2 * (kA2 - kB2)), 1 / (2.0 * (kA2 - kB2))},
    {1 / (2.0 * kB2 * (kB2 - kA2)), kB / (2.0 * kB2 * (kB2 - kA2)), 1 / (2.0 * (kB2 - kA2))},
    {1 / (2.0 * kB2 * (kB2 - kA2)), -kB / (2.0 * kB2 * (kB2 - kA2)), 1 / (2.0 * (kB2 - kA2))},
    {0, 0, 1},
};
inline constexpr double kKernelRows2[4][3] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}};

}  // namespace musicldm::kernels
