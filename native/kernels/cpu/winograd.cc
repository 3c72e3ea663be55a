#include "kernels/cpu/winograd.h"

#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

constexpr int64_t kCacheLine = 16;              // floats
constexpr int64_t kWindowFloats = 32 * 1024;    // of input that is transformed at a time
constexpr int64_t kTransformedBytes = 1 << 20;  // of a group that a worker keeps for itself

// Tiles of a group: fewer read the weights too often, more leave the cache.
constexpr int64_t kFewestTiles = 42;
constexpr int64_t kMostTiles = 64;

struct Grid {
  int64_t rows;  // of tiles of an item
  int64_t columns;
  int64_t group_rows;  // of tiles that are worked on together
  int64_t group_columns;
  int64_t groups_down;
  int64_t groups_across;
};

// One group of tiles, at the edge maybe smaller than others.
struct Group {
  int64_t item;
  int64_t row;  // of tiles
  int64_t column;
  int64_t rows;
  int64_t columns;
  int64_t tiles() const { return rows * columns; }
};

struct Panels {
  int64_t first;
  int64_t count;
};

class Convolution {
 public:
  Convolution(const KernelTable& kernels, WinogradTile tile, const Map& input,
              const ConvOutput& output, const float* packed)
      : kernels_(kernels), tile_(tile), input_(input), output_(output), packed_(packed) {
    depth_ = input.channels();
    // An odd number of cache lines, so that neither rows nor planes meet in the same cache sets.
    pitch_ = round_up(depth_, kCacheLine) + (depth_ % (2 * kCacheLine) == 0 ? kCacheLine : 0);
    panels_ = ceil_div(output.channels, kernels.panel);
    grid_.rows = ceil_div(output.height, tile.height);
    grid_.columns = ceil_div(output.width, tile.width);
  }

  void run() {
    const int64_t tiles = input_.batch * grid_.rows * grid_.columns;
    const int64_t kept = kTransformedBytes / (4 * tile_.points() * pitch_);
    const int64_t wanted = std::clamp(kept, kFewestTiles, kMostTiles);
    if (tiles <= 2 * wanted) {
      run_together();
    } else {
      run_apart(wanted);
    }
  }

 private:
  // All tiles are transformed, then workers share the panels of weights: each weight is read once.
  void run_together() {
    make_groups(4);
    const int64_t groups = input_.batch * grid_.groups_down * grid_.groups_across;
    const int64_t tiles = input_.batch * grid_.rows * grid_.columns;
    const int64_t workers = worker_count(std::max(groups, panels_));
    const int64_t each = scratch_floats(tiles, 1);
    const Buffer transformed(tiles * tile_floats());
    const Buffer scratch(workers * each);
    run_items(groups, [&](int64_t item, int64_t worker) {
      const Group group = group_at(item);
      transform(group, scratch.data() + worker * each, [&](int64_t row, int64_t column) {
        return transformed.data() + tile_index(group.item, row, column) * tile_floats();
      });
    });
    run_items(panels_, [&](int64_t panel, int64_t worker) {
      float* products = scratch.data() + worker * each;
      multiply({panel, 1}, tiles, transformed.data(), products);
      int64_t index = 0;
      for (int64_t item = 0; item < input_.batch; ++item) {
        const Group all{item, 0, 0, grid_.rows, grid_.columns};
        write(all, {panel, 1}, products + index * kernels_.panel, tiles);
        index += all.tiles();
      }
    });
  }

  // Every worker takes a group of tiles through all panels, in its own cache.
  void run_apart(int64_t wanted) {
    make_groups(wanted);
    const int64_t groups = input_.batch * grid_.groups_down * grid_.groups_across;
    const int64_t most = grid_.group_rows * grid_.group_columns;
    const int64_t each = most * tile_floats() + scratch_floats(most, panels_);
    const Buffer scratch(worker_count(groups) * each);
    run_items(groups, [&](int64_t item, int64_t worker) {
      const Group group = group_at(item);
      float* const transformed = scratch.data() + worker * each;
      float* const rest = transformed + most * tile_floats();
      transform(group, rest, [&](int64_t row, int64_t column) {
        const int64_t index = (row - group.row) * group.columns + column - group.column;
        return transformed + index * tile_floats();
      });
      multiply({0, panels_}, group.tiles(), transformed, rest);
      write(group, {0, panels_}, rest, group.tiles());
    });
  }

  // A transformed tile, [point][pitch]: the points of a tile lie together, because a store for each
  // point to a page of its own would exceed what the processor translates at a time.
  int64_t tile_floats() const { return tile_.points() * pitch_; }

  void make_groups(int64_t tiles) {
    grid_.group_columns = std::min(grid_.columns, tiles);
    grid_.group_rows = std::min(grid_.rows, std::max<int64_t>(1, tiles / grid_.group_columns));
    grid_.groups_down = ceil_div(grid_.rows, grid_.group_rows);
    grid_.groups_across = ceil_div(grid_.columns, grid_.group_columns);
  }

  Group group_at(int64_t index) const {
    const int64_t across = index % grid_.groups_across;
    const int64_t down = index / grid_.groups_across % grid_.groups_down;
    Group group{};
    group.item = index / grid_.groups_across / grid_.groups_down;
    group.row = down * grid_.group_rows;
    group.column = across * grid_.group_columns;
    group.rows = std::min(grid_.group_rows, grid_.rows - group.row);
    group.columns = std::min(grid_.group_columns, grid_.columns - group.column);
    return group;
  }

  int64_t tile_index(int64_t item, int64_t row, int64_t column) const {
    return (item * grid_.rows + row) * grid_.columns + column;
  }

  // Pixels of a window: a row of tiles and the rows that the one below shares with it.
  int64_t window_pixels() const {
    return (tile_.height + 2) * (grid_.group_columns * tile_.width + 2);
  }

  // Channels of a window that fits the cache, in whole cache lines.
  int64_t window_channels() const {
    const int64_t fitting = kWindowFloats / window_pixels() / kCacheLine * kCacheLine;
    return std::min(round_up(depth_, kernels_.lanes), std::max(fitting, kCacheLine));
  }

  // For a window of the input, then for products.
  int64_t scratch_floats(int64_t tiles, int64_t panels) const {
    const int64_t products = tile_.points() * product_plane(tiles, panels);
    return round_up(std::max(window_pixels() * window_channels(), products), kCacheLine);
  }

  template <class Target>
  void transform(const Group& group, float* scratch, const Target& target) const {
    const int64_t step = window_channels();
    for (int64_t channel = 0; channel < depth_; channel += step) {
      Window window{.item = group.item,
                    .row = group.row * tile_.height,
                    .rows = tile_.height + 2,
                    .column = group.column * tile_.width,
                    .columns = group.columns * tile_.width + 2,
                    .channel = channel,
                    .channels = std::min(step, depth_ - channel)};
      for (int64_t row = 0; row < group.rows; ++row, window.row += tile_.height) {
        read_strip(window, row > 0, scratch);
        transform_strip(window, scratch, [&](int64_t column) {
          return target(group.row + row, group.column + column) + channel;
        });
      }
    }
  }

  // The input of a row of tiles. Its first two rows may be there, as the last two of the row above.
  void read_strip(const Window& window, bool follows, float* scratch) const {
    const int64_t pitch = round_up(window.channels, kernels_.lanes);
    if (!follows) return read_window(kernels_, input_, window, scratch, pitch);
    const int64_t shared = 2 * window.columns * pitch;
    Window rest = window;
    rest.row += 2;
    rest.rows -= 2;
    std::copy_n(scratch + tile_.height * window.columns * pitch, shared, scratch);
    read_window(kernels_, input_, rest, scratch + shared, pitch);
  }

  template <class Target>
  void transform_strip(const Window& window, const float* scratch, const Target& target) const {
    const int64_t pitch = round_up(window.channels, kernels_.lanes);
    for (int64_t column = 0; column < (window.columns - 2) / tile_.width; ++column) {
      kernels_.winograd_input({.tile = tile_,
                               .from = scratch + column * tile_.width * pitch,
                               .row_stride = window.columns * pitch,
                               .pixel_stride = pitch,
                               .vectors = pitch / kernels_.lanes,
                               .to = target(column),
                               .plane_stride = pitch_});
    }
  }

  // Products with some panels of the weights: [point][tile][column].
  void multiply(const Panels& panels, int64_t tiles, const float* transformed,
                float* products) const {
    const int64_t weights = depth_ * kernels_.panel;
    for (int64_t point = 0; point < tile_.points(); ++point) {
      kernels_.gemm({.a = transformed + point * pitch_,
                     .a_stride = tile_floats(),
                     .depth = depth_,
                     .rows = tiles,
                     .b = packed_ + (point * panels_ + panels.first) * weights,
                     .columns = panels.count * kernels_.panel,
                     .c = products + point * product_plane(tiles, panels.count),
                     .c_stride = panels.count * kernels_.panel});
    }
  }

  int64_t product_plane(int64_t tiles, int64_t panels) const {
    return tiles * panels * kernels_.panel + kCacheLine;
  }

  // `products` starts at the group's first tile, in planes of `tiles` tiles.
  void write(const Group& group, const Panels& panels, const float* products, int64_t tiles) const {
    const int64_t channel = panels.first * kernels_.panel;
    const int64_t columns = panels.count * kernels_.panel;
    const int64_t row_stride = output_.width * output_.channels;
    for (int64_t i = 0; i < group.tiles(); ++i) {
      const int64_t row = (group.row + i / group.columns) * tile_.height;
      const int64_t column = (group.column + i % group.columns) * tile_.width;
      const int64_t at =
          (group.item * output_.height + row) * row_stride + column * output_.channels + channel;
      kernels_.winograd_output({.tile = tile_,
                                .from = products + i * columns,
                                .plane_stride = product_plane(tiles, panels.count),
                                .columns = std::min(columns, output_.channels - channel),
                                .bias = output_.bias_of(group.item, channel),
                                .rows = std::min(tile_.height, output_.height - row),
                                .pixels = std::min(tile_.width, output_.width - column),
                                .to = output_.data + at,
                                .residual = output_.residual ? output_.residual + at : nullptr,
                                .row_stride = row_stride,
                                .pixel_stride = output_.channels});
    }
  }

  const KernelTable& kernels_;
  WinogradTile tile_;
  const Map& input_;
  const ConvOutput& output_;
  const float* packed_;
  int64_t depth_ = 0;
  int64_t pitch_ = 0;
  int64_t panels_ = 0;
  Grid grid_{};
};

}  // namespace

void run_winograd(const KernelTable& kernels, WinogradTile tile, const Map& input,
                  const float* packed, const ConvOutput& output) {
  const OperatorTimer timer(Operator::kWinograd);
  Convolution(kernels, tile, input, output, packed).run();
}

}  // namespace musicldm::kernels
