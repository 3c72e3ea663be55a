// What the kernels of every instruction set are asked to do: plain data, so that one table of
// functions serves all of them. Pitches, strides and counts are in floats unless a name says more.
#pragma once

#include <cstdint>

namespace musicldm::kernels {

enum class Activation { kNone, kSilu, kLeakyRelu, kGelu, kGatedGelu };

// What happens to a product on its way to memory, in this order: factor, bias, residual,
// activation. kGatedGelu expects panels whose first half of columns is gated by the second through
// exact GELU (pack_gated) and writes half as many columns.
struct Epilogue {
  const float* row_factors = nullptr;  // one per row
  const float* bias = nullptr;         // one per column
  const float* residual = nullptr;     // one per element of the result
  int64_t residual_stride = 0;
  Activation activation = Activation::kNone;
  float slope = 0;          // of kLeakyRelu
  bool accumulate = false;  // adds to what the result holds
};

// result[row][column] = sum over taps and depth of a[row * a_stride + tap_offsets[tap] + k] times
// b, where b is in packed panels of `panel` columns: [columns / panel][taps * depth][panel].
struct GemmTask {
  const float* a = nullptr;
  int64_t a_stride = 0;
  const int64_t* tap_offsets = nullptr;
  int64_t taps = 1;
  int64_t depth = 0;
  int64_t rows = 0;
  const float* b = nullptr;
  int64_t columns = 0;
  float* c = nullptr;
  int64_t c_stride = 0;
  Epilogue epilogue = {};
};

// Copies pixels of a channels-last map, on the way scaled, shifted and activated per channel.
// Pixels of index -1 become zero, as padding is; channels are filled up with zeros to whole
// vectors.
struct PrepareTask {
  const float* from = nullptr;
  int64_t from_stride = 0;          // between pixels
  const int32_t* pixels = nullptr;  // which to copy; null: the first ones
  int64_t count = 0;
  int64_t channels = 0;
  int64_t filled = 0;            // at least `channels`
  const float* scale = nullptr;  // null: neither scale nor shift
  const float* shift = nullptr;
  Activation activation = Activation::kNone;
  float slope = 0;  // of kLeakyRelu
  float* to = nullptr;
  int64_t to_stride = 0;
};

// Softmax of `factor` times each row, but for the division by the sum, of which the inverse goes to
// `inverse_sums`.
struct SoftmaxTask {
  float* scores = nullptr;
  int64_t stride = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  float factor = 1;
  float* inverse_sums = nullptr;
};

// Sums over pixels of x - origin and of its square, added to `sums` and `squares`, per channel.
struct MomentsTask {
  const float* from = nullptr;
  int64_t from_stride = 0;
  int64_t count = 0;
  int64_t channels = 0;
  const float* origin = nullptr;
  double* sums = nullptr;
  double* squares = nullptr;
};

// One output tile of a Winograd convolution, of 4 or 2 outputs along each axis.
struct WinogradTile {
  int64_t height = 4;
  int64_t width = 4;
  // Points of the transform: the input tile is as large.
  int64_t points() const { return (height + 2) * (width + 2); }
};

// Transforms the input tile at `from`; value p of channel c goes to `to[p * plane_stride + c]`.
struct WinogradInputTask {
  WinogradTile tile = {};
  const float* from = nullptr;
  int64_t row_stride = 0;
  int64_t pixel_stride = 0;
  int64_t vectors = 0;  // of channels
  float* to = nullptr;
  int64_t plane_stride = 0;
};

// Transforms products back and writes the part of the tile that lies in the map.
struct WinogradOutputTask {
  WinogradTile tile = {};
  const float* from = nullptr;
  int64_t plane_stride = 0;
  int64_t columns = 0;  // output channels
  const float* bias = nullptr;
  int64_t rows = 0;    // of the tile that exist
  int64_t pixels = 0;  // of a row that exist
  float* to = nullptr;
  const float* residual = nullptr;  // with the strides of `to`
  int64_t row_stride = 0;
  int64_t pixel_stride = 0;
};

// Transforms `size` samples at `from`, on the way through leaky ReLU (slope 1 leaves them as they
// are), to the planes of a Fourier convolution: plane p of channel c goes to
// `to[p * plane_stride + c]`. Writes whole vectors of channels.
struct FourierInputTask {
  int64_t size = 0;  // 16, 32 or 64
  const float* from = nullptr;
  int64_t sample_stride = 0;
  int64_t channels = 0;
  float slope = 1;
  float* to = nullptr;
  int64_t plane_stride = 0;
};

// Transforms products back and writes the first `count` samples.
struct FourierOutputTask {
  int64_t size = 0;
  const float* from = nullptr;
  int64_t plane_stride = 0;
  int64_t columns = 0;  // output channels; `from` has room for whole vectors
  const float* bias = nullptr;
  int64_t count = 0;
  float* to = nullptr;
  const float* residual = nullptr;  // with the stride of `to`
  int64_t sample_stride = 0;
  bool accumulate = false;
};

// Transforms the taps of one input channel and of the columns of one panel.
struct FourierWeightsTask {
  int64_t size = 0;
  const float* from = nullptr;  // taps of the first column
  int64_t taps = 0;
  int64_t column_stride = 0;
  int64_t columns = 0;  // the others of the panel become zero
  float* to = nullptr;
  int64_t plane_stride = 0;
};

}  // namespace musicldm::kernels
