#include "kernels/cpu/window_attention.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

class WindowAttention {
 public:
  WindowAttention(const KernelTable& kernels, const WindowAttentionTask& task)
      : kernels_(kernels),
        task_(task),
        tokens_(task.window * task.window),
        channels_(task.heads * task.head_width),
        value_columns_(round_up(task.head_width, kernels.panel)) {}

  void run() const {
    const int64_t windows = task_.batch * rows() * columns();
    const int64_t each = scratch_floats();
    const Buffer scratch(worker_count(windows) * each);
    run_items(windows, [&](int64_t window, int64_t worker) {
      attend(window, scratch.data() + worker * each);
    });
  }

 private:
  // What a worker keeps of one head in one window.
  struct Head {
    float* queries;       // [tokens][head_width], scaled
    float* keys;          // panels of tokens: [head_width][panel]
    float* values;        // panels of head_width: [tokens][panel]
    float* scores;        // [tokens][score_stride]
    float* inverse_sums;  // [tokens]
    float* mixed;         // [tokens][value_columns]
  };

  int64_t rows() const { return task_.height / task_.window; }
  int64_t columns() const { return task_.width / task_.window; }
  int64_t score_stride() const { return round_up(tokens_, 16) + 16; }
  int64_t query_floats() const { return round_up(tokens_ * task_.head_width, 16); }
  int64_t key_floats() const { return round_up(tokens_, kernels_.panel) * task_.head_width; }
  int64_t value_floats() const { return tokens_ * value_columns_; }

  int64_t scratch_floats() const {
    return query_floats() + key_floats() + 2 * value_floats() + tokens_ * score_stride() +
           round_up(tokens_, 16);
  }

  Head lay_out(float* scratch) const {
    Head head{};
    head.queries = scratch;
    head.keys = head.queries + query_floats();
    head.values = head.keys + key_floats();
    head.mixed = head.values + value_floats();
    head.scores = head.mixed + value_floats();
    head.inverse_sums = head.scores + tokens_ * score_stride();
    // Columns beyond the head's stay zero.
    std::fill_n(head.keys, key_floats() + value_floats(), 0.0F);
    return head;
  }

  // Where the tokens of a window are among those of the map.
  std::vector<int64_t> places(int64_t window) const {
    const int64_t item = window / (rows() * columns());
    const int64_t top = window / columns() % rows() * task_.window + task_.shift;
    const int64_t left = window % columns() * task_.window + task_.shift;
    std::vector<int64_t> result;
    result.reserve(tokens_);
    for (int64_t y = 0; y < task_.window; ++y) {
      const int64_t row = item * task_.height + (top + y) % task_.height;
      for (int64_t x = 0; x < task_.window; ++x) {
        result.push_back(row * task_.width + (left + x) % task_.width);
      }
    }
    return result;
  }

  const float* bias(int64_t window, int64_t head) const {
    const bool is_last_row = window / columns() % rows() == rows() - 1;
    const bool is_last_column = window % columns() == columns() - 1;
    const int64_t kind = task_.shift == 0 ? 0 : 2 * is_last_row + is_last_column;
    return task_.bias + (kind * task_.heads + head) * tokens_ * tokens_;
  }

  void attend(int64_t window, float* scratch) const {
    const std::vector<int64_t> token_places = places(window);
    const Head head = lay_out(scratch);
    for (int64_t h = 0; h < task_.heads; ++h) {
      gather(token_places, h, head);
      mix(bias(window, h), head);
      for (int64_t i = 0; i < tokens_; ++i) {
        std::copy_n(head.mixed + i * value_columns_, task_.head_width,
                    task_.out + token_places[i] * channels_ + h * task_.head_width);
      }
    }
  }

  void gather(const std::vector<int64_t>& token_places, int64_t h, const Head& head) const {
    const int64_t width = task_.head_width;
    const int64_t panel = kernels_.panel;
    const float scale = 1 / std::sqrt(static_cast<float>(width));
    for (int64_t i = 0; i < tokens_; ++i) {
      const float* const query = task_.tokens + token_places[i] * 3 * channels_ + h * width;
      const float* const key = query + channels_;
      const float* const value = key + channels_;
      float* const query_to = head.queries + i * width;
      float* const key_to = head.keys + i / panel * panel * width + i % panel;
      for (int64_t c = 0; c < width; ++c) query_to[c] = query[c] * scale;
      for (int64_t c = 0; c < width; ++c) key_to[c * panel] = key[c];
      for (int64_t c = 0; c < width; c += panel) {
        std::copy_n(value + c, std::min(panel, width - c), head.values + c * tokens_ + i * panel);
      }
    }
  }

  void mix(const float* added, const Head& head) const {
    kernels_.gemm({.a = head.queries,
                   .a_stride = task_.head_width,
                   .depth = task_.head_width,
                   .rows = tokens_,
                   .b = head.keys,
                   .columns = tokens_,
                   .c = head.scores,
                   .c_stride = score_stride(),
                   .epilogue = {.residual = added, .residual_stride = tokens_}});
    kernels_.softmax({.scores = head.scores,
                      .stride = score_stride(),
                      .rows = tokens_,
                      .columns = tokens_,
                      .inverse_sums = head.inverse_sums});
    kernels_.gemm({.a = head.scores,
                   .a_stride = score_stride(),
                   .depth = tokens_,
                   .rows = tokens_,
                   .b = head.values,
                   .columns = value_columns_,
                   .c = head.mixed,
                   .c_stride = value_columns_,
                   .epilogue = {.row_factors = head.inverse_sums}});
  }

  const KernelTable& kernels_;
  const WindowAttentionTask& task_;
  int64_t tokens_;    // of a window
  int64_t channels_;  // of all heads
  int64_t value_columns_;
};

}  // namespace

void run_window_attention(const KernelTable& kernels, const WindowAttentionTask& task) {
  const OperatorTimer timer(Operator::kAttention);
  WindowAttention(kernels, task).run();
}

}  // namespace musicldm::kernels
