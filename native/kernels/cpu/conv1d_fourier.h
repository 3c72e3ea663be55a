// Convolution along time by overlapping Fourier tiles: the tiles' spectra are multiplied with the
// weights' as one matrix product per plane. Samples that are `dilation` apart form tiles of their
// own, so that a dilated kernel costs no more.
#pragma once

#include "kernels/cpu/conv1d.h"

namespace musicldm::kernels {

class FourierConv1d {
 public:
  FourierConv1d(const PackedConv1d& layer, const Conv1dJob& job);

  // Blocks of tiles that one worker can take from input to output in its cache.
  int64_t blocks() const;
  int64_t scratch_floats() const;
  void run_block(int64_t block, float* scratch) const;

  // Large weights: all workers share the planes of a group of tiles, so that each weight is read
  // once for many tiles.
  void run_together() const;
  bool prefers_together() const;

 private:
  struct Planes {
    float* data;
    int64_t stride;  // between planes
    int64_t pitch;   // between tiles
  };
  void read(int64_t first_tile, int64_t tiles, const Planes& to, float* edge) const;
  const float* samples_of(int64_t start, float* edge) const;
  void multiply(int64_t plane, int64_t tiles, const Planes& from, const Planes& to) const;
  void multiply_panel(int64_t panel, int64_t tiles, const Planes& from, const Planes& to) const;
  void write(int64_t first_tile, int64_t tiles, const Planes& from, int64_t column) const;
  int64_t output_of(int64_t tile) const;

  const KernelTable& kernels_;
  const PackedConv1d& layer_;
  const Conv1dShape& shape_;
  const Conv1dJob& job_;
  int64_t size_;
  int64_t step_;  // outputs of a tile
  int64_t planes_;
  int64_t tiles_;
  int64_t block_tiles_;
};

// [plane][panel of outputs][input][column of panel].
Buffer pack_fourier(const KernelTable& kernels, const Conv1dShape& shape, int64_t size,
                    const float* weight);

// Tiles that `count` outputs need.
int64_t fourier_tiles(const Conv1dShape& shape, int64_t size, int64_t count);

}  // namespace musicldm::kernels
