#include "latent/vocoder_packed.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "nn/circular.h"
#include "runtime/cancel.h"

namespace musicldm::latent {

namespace {

constexpr int64_t kStretchFrames = 1024;
constexpr int64_t kMostFrames = 1536;  // that are made at once

int64_t half_width(const nn::Conv1d& layer) {
  return (layer.options().kernel - 1) * layer.options().dilation / 2;
}

int64_t stack_reach(const StackLayers& stack) {
  int64_t reach = 0;
  for (const nn::Conv1d* layer : stack.first) reach += half_width(*layer);
  for (const nn::Conv1d* layer : stack.second) reach += half_width(*layer);
  return reach;
}

// Frames around a frame that its samples depend on, from the last layer back to the first.
int64_t vocoder_reach(const VocoderLayers& layers) {
  const size_t each = layers.stacks.size() / layers.upsamplers.size();
  int64_t reach = half_width(*layers.after);
  for (size_t stage = layers.upsamplers.size(); stage-- > 0;) {
    int64_t widest = 0;
    for (size_t i = 0; i < each; ++i) {
      widest = std::max(widest, stack_reach(layers.stacks[stage * each + i]));
    }
    const auto& o = layers.upsamplers[stage]->options();
    reach = kernels::ceil_div(reach + widest + o.kernel, o.stride) + 1;
  }
  return reach + half_width(*layers.before);
}

at::Tensor floats(int64_t count) { return at::empty({count}, at::kFloat); }

}  // namespace

PackedVocoder::PackedVocoder(const VocoderLayers& layers)
    : slope_(layers.slope),
      last_slope_(layers.last_slope),
      reach_(vocoder_reach(layers)),
      before_(*layers.before),
      after_(*layers.after, static_cast<double>(layers.upsamplers.size()) /
                                static_cast<double>(layers.stacks.size())) {
  const size_t each = layers.stacks.size() / layers.upsamplers.size();
  // The mean over a stage's stacks is left to the weights that follow it.
  const double mean = 1.0 / static_cast<double>(each);
  for (size_t stage = 0; stage < layers.upsamplers.size(); ++stage) {
    const nn::ConvTranspose1d& upsampler = *layers.upsamplers[stage];
    hop_ *= upsampler.options().stride;
    stages_.push_back({nn::PackedConv1d(upsampler, stage == 0 ? 1 : mean), {}});
    for (size_t i = 0; i < each; ++i) {
      const StackLayers& stack = layers.stacks[stage * each + i];
      auto& pairs = stages_.back().stacks.emplace_back();
      for (size_t j = 0; j < stack.first.size(); ++j) {
        pairs.push_back({nn::PackedConv1d(*stack.first[j]), nn::PackedConv1d(*stack.second[j])});
      }
    }
  }
}

at::Tensor PackedVocoder::forward(const at::Tensor& mel, bool circular) {
  const int64_t frames = mel.size(0);
  const int64_t margin = circular ? reach_ : 0;
  const at::Tensor padded = nn::wrap_axis(mel, 0, margin, margin).contiguous();
  if (padded.size(0) > kMostFrames) return run_stretches(padded, frames, margin);
  const at::Tensor wave = run(padded);
  return circular ? wave.narrow(0, margin * hop_, frames * hop_) : wave;
}

// Each stretch is run with as many frames around it as its samples depend on.
at::Tensor PackedVocoder::run_stretches(const at::Tensor& padded, int64_t frames, int64_t margin) {
  const at::Tensor wave = floats(margin > 0 ? frames * hop_ : sample_count(frames));
  for (int64_t first = 0; first < frames; first += kStretchFrames) {
    const int64_t until = std::min(first + kStretchFrames, frames);
    const int64_t from = std::max<int64_t>(first + margin - reach_, 0);
    const int64_t to = std::min(until + margin + reach_, padded.size(0));
    const at::Tensor part = run(padded.narrow(0, from, to - from));
    const int64_t end = until == frames ? wave.size(0) : until * hop_;
    const int64_t count = end - first * hop_;
    wave.narrow(0, first * hop_, count)
        .copy_(part.narrow(0, (first + margin - from) * hop_, count));
  }
  return wave;
}

int64_t PackedVocoder::sample_count(int64_t frames) const {
  int64_t count = before_.output_count(frames);
  for (const Stage& stage : stages_) count = stage.upsampler.output_count(count);
  return after_.output_count(count);
}

// [T, M] -> [N]
at::Tensor PackedVocoder::run(const at::Tensor& mel) {
  Signal x{mel, {mel.const_data_ptr<float>(), mel.size(0)}};
  const auto apply = [](nn::PackedConv1d& layer, const Signal& from, double slope) {
    runtime::throw_if_cancelled();
    Signal to{floats(layer.output_floats(from.samples.count)), {}};
    to.samples.data = layer.forward(from.samples, slope, {to.memory.data_ptr<float>()});
    to.samples.count = layer.output_count(from.samples.count);
    return to;
  };
  x = apply(before_, x, 1);
  for (Stage& stage : stages_) {
    x = apply(stage.upsampler, x, slope_);
    x = run_stage(stage, x);
  }
  return apply(after_, x, last_slope_).memory.tanh_();
}

// The sum over the stage's stacks.
PackedVocoder::Signal PackedVocoder::run_stage(Stage& stage, const Signal& x) {
  const int64_t count = x.samples.count;
  Signal sum{floats(stage.stacks[0][0].second.output_floats(count)), {}};
  sum.samples = {sum.memory.const_data_ptr<float>(), count};
  for (size_t i = 0; i < stage.stacks.size(); ++i) {
    run_stack(stage.stacks[i], x.samples,
              {.data = sum.memory.data_ptr<float>(), .accumulate = i > 0});
  }
  return sum;
}

void PackedVocoder::run_stack(std::vector<Pair>& stack, const nn::Samples& x,
                              const nn::PackedOutput& sum) {
  const int64_t size = stack[0].first.output_floats(x.count);
  const at::Tensor between = floats(size);
  const at::Tensor kept = stack.size() > 1 ? floats(size) : at::Tensor();
  nn::Samples from = x;
  for (size_t i = 0; i < stack.size(); ++i) {
    runtime::throw_if_cancelled();
    stack[i].first.forward(from, slope_, {between.data_ptr<float>()});
    nn::PackedOutput to = sum;
    if (i + 1 < stack.size()) to = {kept.data_ptr<float>()};
    to.residual = from.data;
    stack[i].second.forward({between.const_data_ptr<float>(), x.count}, slope_, to);
    from.data = to.data;
  }
}

}  // namespace musicldm::latent
