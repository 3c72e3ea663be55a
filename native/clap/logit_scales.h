// What cosine similarities are multiplied by.
#pragma once

#include "nn/layers.h"

namespace musicldm::clap {

// Learned in the logarithm: `logit_scale_a`, which the losses of both directions use, and
// `logit_scale_t`, which only the loss of the MLP heads uses (transformers: of text to audio).
class LogitScales : public nn::Layer {
 public:
  // Both start at this scale.
  explicit LogitScales(double initial);
  struct Output {
    at::Tensor audio;  // []
    at::Tensor text;   // []
  };
  Output forward() const;
  // Keeps both scales in 1..100, as training does after every step of the optimiser.
  void clamp() const;
};

}  // namespace musicldm::clap
