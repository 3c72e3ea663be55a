#include "kernels/cpu/conv1d_fourier.h"

#include <algorithm>

#include "kernels/cpu/fourier.h"
#include "kernels/cpu/workers.h"

namespace musicldm::kernels {

namespace {

constexpr int64_t kCacheLine = 16;            // floats
constexpr int64_t kBlockFloats = 256 * 1024;  // of planes that a worker keeps for itself
constexpr int64_t kSharedWeights = 2 << 20;   // floats of weights from which workers share
constexpr int64_t kSharedFloats = 6 << 20;    // of planes that workers share
constexpr int64_t kChunk = 8;                 // tiles that a worker transforms at a time

// An odd number of cache lines, so that neither tiles nor planes meet in the same cache sets.
int64_t odd_lines(int64_t floats) {
  const int64_t lines = ceil_div(floats, kCacheLine);
  return (lines + (lines % 2 == 0 ? 1 : 0)) * kCacheLine;
}

}  // namespace

int64_t fourier_tiles(const Conv1dShape& shape, int64_t size, int64_t count) {
  const int64_t step = size - shape.taps + 1;
  return shape.dilation * ceil_div(ceil_div(count, shape.dilation), step);
}

FourierConv1d::FourierConv1d(const PackedConv1d& layer, const Conv1dJob& job)
    : kernels_(*layer.kernels),
      layer_(layer),
      shape_(layer.shape),
      job_(job),
      size_(layer.method.transform),
      step_(size_ - shape_.taps + 1),
      planes_(fourier_planes(size_)),
      tiles_(fourier_tiles(shape_, size_, job.count)) {
  const int64_t of_tile =
      planes_ * (odd_lines(shape_.in_channels) +
                 std::min(odd_lines(shape_.out_channels), odd_lines(kernels_.panel)));
  const int64_t fitting = kBlockFloats / of_tile / kernels_.most_rows;
  block_tiles_ = std::clamp<int64_t>(fitting, 2, 8) * kernels_.most_rows;
}

// Tiles of one stretch of time follow each other, a phase of the dilation at a time.
int64_t FourierConv1d::output_of(int64_t tile) const {
  return tile / shape_.dilation * step_ * shape_.dilation + tile % shape_.dilation;
}

// Where the samples of a tile are, from the input `start` on; at the ends of the input a padded
// copy.
const float* FourierConv1d::samples_of(int64_t start, float* edge) const {
  const int64_t channels = shape_.in_channels;
  const int64_t last = start + (size_ - 1) * shape_.dilation;
  if (start >= 0 && last < job_.in_count) return job_.input + start * channels;
  for (int64_t i = 0; i < size_; ++i) {
    const int64_t at = start + i * shape_.dilation;
    float* const to = edge + i * channels;
    if (at < 0 || at >= job_.in_count) {
      std::fill_n(to, channels, 0.0F);
    } else {
      std::copy_n(job_.input + at * channels, channels, to);
    }
  }
  return edge;
}

void FourierConv1d::read(int64_t first_tile, int64_t tiles, const Planes& to, float* edge) const {
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t start = job_.first + output_of(first_tile + i) - shape_.before;
    const float* from = samples_of(start, edge);
    kernels_.fourier_input(
        {.size = size_,
         .from = from,
         .sample_stride = shape_.in_channels * (from == edge ? 1 : shape_.dilation),
         .channels = shape_.in_channels,
         .slope = job_.slope,
         .to = to.data + i * to.pitch,
         .plane_stride = to.stride});
  }
}

// All columns of one plane.
void FourierConv1d::multiply(int64_t plane, int64_t tiles, const Planes& from,
                             const Planes& to) const {
  const int64_t columns = round_up(shape_.out_channels, kernels_.panel);
  kernels_.gemm({.a = from.data + plane * from.stride,
                 .a_stride = from.pitch,
                 .depth = shape_.in_channels,
                 .rows = tiles,
                 .b = layer_.weights.data() + plane * columns * shape_.in_channels,
                 .columns = round_up(shape_.out_channels, kernels_.lanes),
                 .c = to.data + plane * to.stride,
                 .c_stride = to.pitch});
}

// All planes of one panel of columns.
void FourierConv1d::multiply_panel(int64_t panel, int64_t tiles, const Planes& from,
                                   const Planes& to) const {
  const int64_t columns = round_up(shape_.out_channels, kernels_.panel);
  const int64_t column = panel * kernels_.panel;
  const int64_t left = round_up(shape_.out_channels - column, kernels_.lanes);
  for (int64_t plane = 0; plane < planes_; ++plane) {
    kernels_.gemm({.a = from.data + plane * from.stride,
                   .a_stride = from.pitch,
                   .depth = shape_.in_channels,
                   .rows = tiles,
                   .b = layer_.weights.data() + (plane * columns + column) * shape_.in_channels,
                   .columns = std::min(left, kernels_.panel),
                   .c = to.data + plane * to.stride,
                   .c_stride = to.pitch});
  }
}

void FourierConv1d::write(int64_t first_tile, int64_t tiles, const Planes& from,
                          int64_t column) const {
  const int64_t columns = std::min(from.pitch, shape_.out_channels - column);
  for (int64_t i = 0; i < tiles; ++i) {
    const int64_t output = output_of(first_tile + i);
    const int64_t at = output * shape_.out_channels + column;
    const int64_t left = ceil_div(job_.count - output, shape_.dilation);
    kernels_.fourier_output({.size = size_,
                             .from = from.data + i * from.pitch,
                             .plane_stride = from.stride,
                             .columns = columns,
                             .bias = layer_.bias.data() + column,
                             .count = std::min(step_, left),
                             .to = job_.output + at,
                             .residual = job_.residual ? job_.residual + at : nullptr,
                             .sample_stride = shape_.dilation * shape_.out_channels,
                             .accumulate = job_.accumulate});
  }
}

int64_t FourierConv1d::blocks() const { return ceil_div(tiles_, block_tiles_); }

int64_t FourierConv1d::scratch_floats() const {
  const int64_t of_plane = odd_lines(block_tiles_ * odd_lines(shape_.in_channels)) +
                           odd_lines(block_tiles_ * kernels_.panel);
  return planes_ * of_plane + round_up(size_ * shape_.in_channels, kCacheLine) + kCacheLine;
}

void FourierConv1d::run_block(int64_t block, float* scratch) const {
  const int64_t first = block * block_tiles_;
  const int64_t tiles = std::min(block_tiles_, tiles_ - first);
  const int64_t pitch = odd_lines(shape_.in_channels);
  const Planes spectra{scratch, odd_lines(block_tiles_ * pitch), pitch};
  const Planes products{scratch + planes_ * spectra.stride,
                        odd_lines(block_tiles_ * kernels_.panel), kernels_.panel};
  read(first, tiles, spectra, products.data + planes_ * products.stride);
  for (int64_t panel = 0; panel * kernels_.panel < shape_.out_channels; ++panel) {
    multiply_panel(panel, tiles, spectra, products);
    write(first, tiles, products, panel * kernels_.panel);
  }
}

bool FourierConv1d::prefers_together() const {
  return planes_ * shape_.in_channels * shape_.out_channels > kSharedWeights;
}

void FourierConv1d::run_together() const {
  const int64_t in_pitch = odd_lines(shape_.in_channels);
  const int64_t out_pitch = odd_lines(shape_.out_channels);
  const int64_t fitting = kSharedFloats / planes_ / (in_pitch + out_pitch);
  const int64_t groups = ceil_div(tiles_, std::max(fitting, 2 * kernels_.most_rows));
  const int64_t most = ceil_div(tiles_, groups);
  const Planes spectra_shape{nullptr, most * in_pitch + kCacheLine, in_pitch};
  const Planes products_shape{nullptr, most * out_pitch + kCacheLine, out_pitch};
  const Buffer memory(planes_ * (spectra_shape.stride + products_shape.stride));
  const int64_t edge_floats = round_up(size_ * shape_.in_channels, kCacheLine);
  const Buffer edges(worker_count(tiles_) * edge_floats);
  for (int64_t first = 0; first < tiles_; first += most) {
    const int64_t tiles = std::min(most, tiles_ - first);
    Planes spectra = spectra_shape, products = products_shape;
    spectra.data = memory.data();
    products.data = memory.data() + planes_ * spectra.stride;
    const auto chunk_of = [&](const Planes& planes, int64_t chunk) {
      return Planes{planes.data + chunk * kChunk * planes.pitch, planes.stride, planes.pitch};
    };
    run_items(ceil_div(tiles, kChunk), [&](int64_t chunk, int64_t worker) {
      read(first + chunk * kChunk, std::min(kChunk, tiles - chunk * kChunk),
           chunk_of(spectra, chunk), edges.data() + worker * edge_floats);
    });
    run_items(planes_, [&](int64_t plane, int64_t) { multiply(plane, tiles, spectra, products); });
    run_items(ceil_div(tiles, kChunk), [&](int64_t chunk, int64_t) {
      write(first + chunk * kChunk, std::min(kChunk, tiles - chunk * kChunk),
            chunk_of(products, chunk), 0);
    });
  }
}

Buffer pack_fourier(const KernelTable& kernels, const Conv1dShape& shape, int64_t size,
                    const float* weight) {
  const int64_t planes = fourier_planes(size);
  const int64_t panels = ceil_div(shape.out_channels, kernels.panel);
  const int64_t plane_floats = panels * shape.in_channels * kernels.panel;
  const Buffer packed(planes * plane_floats);
  constexpr int64_t kInputs = 64;
  const int64_t parts = ceil_div(shape.in_channels, kInputs);
  run_items(panels * parts, [&](int64_t item, int64_t) {
    const int64_t panel = item / parts;
    const int64_t begin = item % parts * kInputs;
    for (int64_t i = begin; i < std::min(begin + kInputs, shape.in_channels); ++i) {
      const int64_t column = panel * kernels.panel;
      kernels.fourier_weights(
          {.size = size,
           .from = weight + (column * shape.in_channels + i) * shape.taps,
           .taps = shape.taps,
           .column_stride = shape.in_channels * shape.taps,
           .columns = std::min(kernels.panel, shape.out_channels - column),
           .to = packed.data() + (panel * shape.in_channels + i) * kernels.panel,
           .plane_stride = plane_floats});
    }
  });
  return packed;
}

}  // namespace musicldm::kernels
