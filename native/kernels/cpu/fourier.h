// Numbers of a real Fourier transform as the convolution kernels lay it out.
#pragma once

#include <cstdint>

namespace musicldm::kernels {

inline constexpr int kLargestTransform = 64;

// cos(2 pi k / 64) for the first quarter of the circle.
inline constexpr double kQuarterCosine[17] = {
    1.0,
    0.99518472667219688624,
    0.98078528040323044913,
    0.95694033573220886494,
    0.92387953251128675613,
    0.88192126434835502971,
    0.83146961230254523708,
    0.77301045336273696081,
    0.70710678118654752440,
    0.63439328416364549822,
    0.55557023301960222474,
    0.47139673682599764856,
    0.38268343236508977173,
    0.29028467725446236764,
    0.19509032201612826785,
    0.09801714032956060199,
    0.0,
};

// A spectrum of `size` real samples has two real bins and size / 2 - 1 complex ones. A product of
// complex numbers is made of three real ones (Gauss), so that a bin takes three planes.
constexpr int64_t fourier_planes(int64_t size) { return 2 + 3 * (size / 2 - 1); }

}  // namespace musicldm::kernels
