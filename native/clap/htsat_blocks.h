// The parts of an HTSAT: patches of a folded spectrogram, and Swin blocks on maps of tokens.
#pragma once

#include <array>

#include "clap/htsat_config.h"
#include "clap/window_attention.h"
#include "nn/block.h"
#include "nn/dropout.h"
#include "nn/layers.h"
#include "nn/list.h"

namespace musicldm::clap {

// A convolution whose kernels stand side by side; what is left over at the end is cut.
class PatchConv : public nn::Layer {
 public:
  PatchConv(int64_t in_channels, int64_t out_channels, std::array<int64_t, 2> size);
  at::Tensor forward(const at::Tensor& image) const;  // [B, C, H, W] -> [B, H', W', C']
  void drop_packed() override { packed_.reset(); }

 private:
  mutable std::shared_ptr<nn::PackedLinear> packed_;
};

class PatchEmbed : public nn::Block {
 public:
  explicit PatchEmbed(const HtsatConfig& config);
  // [B, 1 or 4, S, S] -> [B, H, W, C]; details are merged into the rows that are listed.
  at::Tensor forward(const at::Tensor& image, const std::vector<int64_t>& longer) const;

 private:
  at::Tensor merge(const at::Tensor& tokens, const at::Tensor& image,
                   const std::vector<int64_t>& longer) const;
  at::Tensor details(const at::Tensor& image, int64_t columns) const;

  bool merges_;
  std::shared_ptr<PatchConv> proj_;
  std::shared_ptr<nn::LayerNorm> norm_;
  std::shared_ptr<FeatureFusion> fusion_model_;
  std::shared_ptr<PatchConv> mel_conv2d_;
};

// Width, heads and regularisation of one block.
struct SwinOptions {
  int64_t width = 0;
  int64_t heads = 0;
  Windows windows = {};
  double drop_path = 0;
};

class WindowSelfAttention : public nn::Layer {
 public:
  WindowSelfAttention(const HtsatConfig& config, const SwinOptions& options);
  at::Tensor forward(const at::Tensor& x) const;             // [B, H, W, C]
  void initialise(const at::Generator& generator) override;  // the table becomes zero

 private:
  Windows windows_;
  at::Tensor position_index_;                // [N * N] i64
  at::Tensor relative_position_bias_table_;  // [(2 size - 1)^2, heads]
  std::shared_ptr<nn::Linear> query_;
  std::shared_ptr<nn::Linear> key_;
  std::shared_ptr<nn::Linear> value_;
  std::shared_ptr<nn::Dropout> dropout_;
};

// The end of a residual branch: linear, dropout and stochastic depth, added to its start.
class SwinResidual : public nn::Block {
 public:
  SwinResidual(int64_t in_width, int64_t width, double dropout, double drop_path);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& start) const;

 private:
  std::shared_ptr<nn::Linear> dense_;
  std::shared_ptr<nn::Dropout> dropout_;
  std::shared_ptr<nn::DropPath> drop_path_;
};

class SwinAttention : public nn::Block {
 public:
  SwinAttention(const HtsatConfig& config, const SwinOptions& options);
  at::Tensor forward(const at::Tensor& x, const at::Tensor& start) const;  // [B, H, W, C]

 private:
  std::shared_ptr<WindowSelfAttention> self_;
  std::shared_ptr<SwinResidual> output_;
};

class SwinIntermediate : public nn::Block {
 public:
  SwinIntermediate(int64_t width, int64_t inner)
      : dense_(child<nn::Linear>("dense", width, inner)) {}
  at::Tensor forward(const at::Tensor& x) const { return dense_->forward_gelu(x); }

 private:
  std::shared_ptr<nn::Linear> dense_;
};

class SwinBlock : public nn::Block {
 public:
  SwinBlock(const HtsatConfig& config, const SwinOptions& options);
  at::Tensor forward(const at::Tensor& x) const;  // [B, H, W, C]

 private:
  std::shared_ptr<nn::LayerNorm> layernorm_before_;
  std::shared_ptr<SwinAttention> attention_;
  std::shared_ptr<nn::LayerNorm> layernorm_after_;
  std::shared_ptr<SwinIntermediate> intermediate_;
  std::shared_ptr<SwinResidual> output_;
};

// Four tokens become one: [B, H, W, C] -> [B, H / 2, W / 2, 2 C].
class PatchMerging : public nn::Block {
 public:
  explicit PatchMerging(int64_t width);
  at::Tensor forward(const at::Tensor& x) const;

 private:
  std::shared_ptr<nn::Linear> reduction_;
  std::shared_ptr<nn::LayerNorm> norm_;
};

}  // namespace musicldm::clap
