#include "kernels/cpu/products.h"
#include "kernels/cpu/workers.h"
#include "kernels/profile.h"

namespace musicldm::kernels {

namespace {

constexpr int64_t kMatrixFloats = 96 * 1024;  // of input that a worker lays out at a time

class Convolution {
 public:
  Convolution(const KernelTable& kernels, const Kernel& kernel, const Map& input,
              const ConvOutput& output, const float* packed)
      : kernels_(kernels), kernel_(kernel), input_(input), output_(output), packed_(packed) {
    depth_ = input.channels();
    taps_ = kernel.height * kernel.width;
    const int64_t row_floats = output.width * taps_ * depth_;
    const int64_t least = ceil_div(4 * kernels.most_rows, output.width);
    strip_ = std::min(std::max(kMatrixFloats / row_floats, least), output.height);
    if (input.batch * output.height <= 4 * strip_) spread_columns();
  }

  void run() const {
    if (reads_pixels_as_they_are()) return multiply_in_place();
    const OperatorTimer timer(Operator::kDirect);
    const int64_t strips = ceil_div(output_.height, strip_);
    const int64_t across = ceil_div(output_.channels, columns());
    const int64_t items = input_.batch * strips * across;
    const int64_t window = (strip_ * kernel_.stride + kernel_.height) * window_columns() * pitch();
    const int64_t matrix = is_pointwise() ? 0 : strip_ * output_.width * taps_ * depth_;
    const Buffer scratch(worker_count(items) * (window + matrix));
    run_items(items, [&](int64_t item, int64_t worker) {
      float* const own = scratch.data() + worker * (window + matrix);
      const int64_t strip = item / across;
      const int64_t row = strip % strips * strip_;
      lay_out(strip / strips, row, own, own + window);
      multiply(strip / strips, row, item % across * columns(), is_pointwise() ? own : own + window);
    });
  }

 private:
  // Whether a window is the matrix already.
  bool is_pointwise() const { return taps_ == 1 && kernel_.stride == 1; }

  bool reads_pixels_as_they_are() const {
    const auto unpadded = [](const std::vector<int32_t>& positions, int64_t size) {
      return static_cast<int64_t>(positions.size()) == size && positions.front() == 0 &&
             positions.back() == size - 1;
    };
    return is_pointwise() && input_.parts[1].channels == 0 && !input_.scale &&
           input_.activation == Activation::kNone && output_.bias_stride == 0 &&
           unpadded(input_.rows, input_.height) && unpadded(input_.columns, input_.width);
  }

  void multiply_in_place() const {
    run_product(kernels_, {.a = input_.parts[0].data,
                           .a_stride = depth_,
                           .depth = depth_,
                           .rows = input_.batch * output_.height * output_.width,
                           .b = packed_,
                           .columns = output_.channels,
                           .c = output_.data,
                           .c_stride = output_.channels,
                           .epilogue = {.bias = output_.bias,
                                        .residual = output_.residual,
                                        .residual_stride = output_.channels}});
  }

  // With few positions, workers take a share of the output channels of all of them.
  void spread_columns() {
    const int64_t panels = ceil_div(output_.channels, kernels_.panel);
    panels_ = ceil_div(panels, worker_count(panels));
  }

  int64_t columns() const {
    return panels_ > 0 ? panels_ * kernels_.panel : round_up(output_.channels, kernels_.panel);
  }
  int64_t window_columns() const { return (output_.width - 1) * kernel_.stride + kernel_.width; }
  int64_t pitch() const { return round_up(depth_, kernels_.lanes); }
  int64_t rows_at(int64_t row) const { return std::min(strip_, output_.height - row); }

  // [pixel][tap][channel]
  void lay_out(int64_t item, int64_t row, float* window, float* matrix) const {
    const int64_t rows = rows_at(row);
    read_window(kernels_, input_,
                {.item = item,
                 .row = row * kernel_.stride,
                 .rows = (rows - 1) * kernel_.stride + kernel_.height,
                 .columns = window_columns(),
                 .channels = depth_},
                window, pitch());
    if (is_pointwise()) return;
    for (int64_t pixel = 0; pixel < rows * output_.width; ++pixel) {
      const int64_t top = pixel / output_.width * kernel_.stride;
      const int64_t left = pixel % output_.width * kernel_.stride;
      for (int64_t tap = 0; tap < taps_; ++tap) {
        const int64_t from =
            (top + tap / kernel_.width) * window_columns() + left + tap % kernel_.width;
        std::copy_n(window + from * pitch(), depth_, matrix);
        matrix += depth_;
      }
    }
  }

  void multiply(int64_t item, int64_t row, int64_t column, const float* matrix) const {
    const int64_t at = (item * output_.height + row) * output_.width * output_.channels + column;
    kernels_.gemm({.a = matrix,
                   .a_stride = is_pointwise() ? pitch() : taps_ * depth_,
                   .depth = taps_ * depth_,
                   .rows = rows_at(row) * output_.width,
                   .b = packed_ + column * taps_ * depth_,
                   .columns = std::min(columns(), output_.channels - column),
                   .c = output_.data + at,
                   .c_stride = output_.channels,
                   .epilogue = {.bias = output_.bias_of(item, column),
                                .residual = output_.residual ? output_.residual + at : nullptr,
                                .residual_stride = output_.channels}});
  }

  const KernelTable& kernels_;
  Kernel kernel_;
  const Map& input_;
  const ConvOutput& output_;
  const float* packed_;
  int64_t depth_ = 0;
  int64_t taps_ = 1;
  int64_t strip_ = 1;   // output rows of a piece of work
  int64_t panels_ = 0;  // of weights of a piece of work; 0: all
};

}  // namespace

void run_direct(const KernelTable& kernels, const Kernel& kernel, const Map& input,
                const float* packed, const ConvOutput& output) {
  Convolution(kernels, kernel, input, output, packed).run();
}

}  // namespace musicldm::kernels
