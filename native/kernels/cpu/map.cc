#include "kernels/cpu/map.h"

#include <algorithm>

namespace musicldm::kernels {

namespace {

// The channels of one part that a window covers.
struct Overlap {
  int64_t first = 0;  // in the part
  int64_t count = 0;
  int64_t target = 0;  // in the window
};

Overlap overlap(const Window& window, int64_t part_first, int64_t part_channels) {
  const int64_t begin = std::max(window.channel, part_first);
  const int64_t end = std::min(window.channel + window.channels, part_first + part_channels);
  return {begin - part_first, end - begin, begin - window.channel};
}

void read_row(const KernelTable& kernels, const Map& map, const Window& window, int64_t source,
              PrepareTask task) {
  float* const to = task.to;
  const int64_t pitch = task.to_stride;
  int64_t part_first = 0;
  for (const MapPart& part : map.parts) {
    const Overlap span = overlap(window, part_first, part.channels);
    if (span.count > 0) {
      const int64_t row = (window.item * map.height + source) * map.width;
      task.from = part.data + row * part.channels + span.first;
      task.from_stride = part.channels;
      task.channels = span.count;
      task.filled = span.target + span.count == window.channels ? pitch - span.target : span.count;
      const int64_t at = window.item * map.channels() + part_first + span.first;
      task.scale = map.scale ? map.scale + at : nullptr;
      task.shift = map.scale ? map.shift + at : nullptr;
      task.to = to + span.target;
      kernels.prepare(task);
    }
    part_first += part.channels;
  }
}

}  // namespace

void read_window(const KernelTable& kernels, const Map& map, const Window& window, float* to,
                 int64_t pitch) {
  const auto known_rows = static_cast<int64_t>(map.rows.size());
  const auto known_columns = static_cast<int64_t>(map.columns.size());
  const int64_t inside = std::clamp<int64_t>(known_columns - window.column, 0, window.columns);
  for (int64_t i = 0; i < window.rows; ++i) {
    float* row = to + i * window.columns * pitch;
    const int64_t source = window.row + i < known_rows ? map.rows[window.row + i] : -1;
    const int64_t read = source < 0 ? 0 : inside;
    std::fill(row + read * pitch, row + window.columns * pitch, 0.0F);
    if (read == 0) continue;
    read_row(kernels, map, window, source,
             {.pixels = map.columns.data() + window.column,
              .count = read,
              .activation = map.activation,
              .to = row,
              .to_stride = pitch});
  }
}

}  // namespace musicldm::kernels
