#include "kernels/cpu/attention.h"

#include <cmath>

#include "kernels/cpu/buffer.h"
#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

class Attention {
 public:
  Attention(const KernelTable& kernels, const AttentionTask& task)
      : kernels_(kernels),
        task_(task),
        key_floats_(round_up(task.tokens, kernels.panel) * task.width),
        value_floats_(round_up(task.width, kernels.panel) * task.tokens),
        packed_(task.batch * task.heads * (key_floats_ + value_floats_)),
        block_(std::min(task.tokens, 2 * round_up(kernels.most_rows, 14))) {}

  void run() const {
    const int64_t key_panels = ceil_div(task_.tokens, kernels_.panel);
    const int64_t panels = key_panels + ceil_div(task_.width, kernels_.panel);
    run_items(task_.batch * task_.heads * panels, [&](int64_t item, int64_t) {
      const int64_t panel = item % panels;
      if (panel < key_panels) {
        pack_keys(item / panels, panel * kernels_.panel);
      } else {
        pack_values(item / panels, (panel - key_panels) * kernels_.panel);
      }
    });
    const int64_t blocks = ceil_div(task_.tokens, block_);
    const int64_t items = task_.batch * task_.heads * blocks;
    const int64_t each = block_ * (score_stride() + 1);
    const Buffer scratch(worker_count(items) * each);
    run_items(items, [&](int64_t item, int64_t worker) {
      attend(item / blocks, item % blocks * block_, scratch.data() + worker * each);
    });
  }

 private:
  int64_t score_stride() const { return round_up(task_.tokens, 16) + 16; }
  float* keys(int64_t head) const { return packed_.data() + head * (key_floats_ + value_floats_); }
  float* values(int64_t head) const { return keys(head) + key_floats_; }

  // Where a head's part of a [batch, tokens, stride] tensor starts.
  int64_t offset(int64_t head, int64_t stride) const {
    return head / task_.heads * task_.tokens * stride + head % task_.heads * task_.width;
  }

  // A panel of keys, transposed: [width][panel].
  void pack_keys(int64_t head, int64_t first) const {
    const float* const from = task_.keys + offset(head, task_.stride) + first * task_.stride;
    float* to = keys(head) + first * task_.width;
    const int64_t count = std::min(kernels_.panel, task_.tokens - first);
    for (int64_t c = 0; c < task_.width; ++c, to += kernels_.panel) {
      for (int64_t j = 0; j < count; ++j) to[j] = from[j * task_.stride + c];
      std::fill(to + count, to + kernels_.panel, 0.0F);
    }
  }

  // A panel of columns of the values: [tokens][panel].
  void pack_values(int64_t head, int64_t first) const {
    const float* const from = task_.values + offset(head, task_.stride) + first;
    float* to = values(head) + first * task_.tokens;
    const int64_t count = std::min(kernels_.panel, task_.width - first);
    for (int64_t j = 0; j < task_.tokens; ++j, to += kernels_.panel) {
      std::copy_n(from + j * task_.stride, count, to);
      std::fill(to + count, to + kernels_.panel, 0.0F);
    }
  }

  void attend(int64_t head, int64_t first, float* scores) const {
    const int64_t rows = std::min(block_, task_.tokens - first);
    float* const inverse_sums = scores + block_ * score_stride();
    kernels_.gemm({.a = task_.queries + offset(head, task_.stride) + first * task_.stride,
                   .a_stride = task_.stride,
                   .depth = task_.width,
                   .rows = rows,
                   .b = keys(head),
                   .columns = task_.tokens,
                   .c = scores,
                   .c_stride = score_stride()});
    kernels_.softmax({.scores = scores,
                      .stride = score_stride(),
                      .rows = rows,
                      .columns = task_.tokens,
                      .factor = 1 / std::sqrt(static_cast<float>(task_.width)),
                      .inverse_sums = inverse_sums});
    const int64_t out_stride = task_.heads * task_.width;
    kernels_.gemm({.a = scores,
                   .a_stride = score_stride(),
                   .depth = task_.tokens,
                   .rows = rows,
                   .b = values(head),
                   .columns = task_.width,
                   .c = task_.out + offset(head, out_stride) + first * out_stride,
                   .c_stride = out_stride,
                   .epilogue = {.row_factors = inverse_sums}});
  }

  const KernelTable& kernels_;
  const AttentionTask& task_;
  int64_t key_floats_;
  int64_t value_floats_;
  Buffer packed_;
  int64_t block_;  // queries that are worked on together
};

}  // namespace

void run_attention(const KernelTable& kernels, const AttentionTask& task) {
  const OperatorTimer timer(Operator::kAttention);
  Attention(kernels, task).run();
}

}  // namespace musicldm::kernels
