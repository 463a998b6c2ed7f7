// What tch's own binding of libtorch lacks. Each function says in `problem` why it could not do its
// work, and lets no exception out.

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_amp_foreach_non_finite_check_and_unscale.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/from_blob.h>

#include <mutex>
#include <vector>

#include "shim.h"

using crosstune::guarded;

// A contiguous tensor over `data`, of the element type of `like`. `release(owner)` is called once:
// when the last tensor over the memory goes, or before this returns null.
extern "C" at::Tensor* crosstune_from_blob(
    void* data, const int64_t* sizes, size_t dims, const at::Tensor* like, void* owner,
    void (*release)(void*), char* problem, size_t capacity) noexcept {
  at::Tensor* made = nullptr;
  guarded(problem, capacity, [&] {
    // From `context` on, which throws nothing, the maker owns the memory and releases it.
    made = new at::Tensor(at::for_blob(data, at::IntArrayRef(sizes, dims))
                              .context(owner, release)
                              .options(like->options())
                              .make_tensor());
  });
  return made;
}

// A step of AdamW on `count` contiguous parameters in as few passes as there can be. `steps` is a
// scalar that counts from 1; the gradients are divided by `divisor`, a scalar.
extern "C" bool crosstune_adamw(
    const at::Tensor* const* values, const at::Tensor* const* gradients,
    const at::Tensor* const* means, const at::Tensor* const* squares, size_t count,
    const at::Tensor* steps, const at::Tensor* divisor, double lr, double beta1, double beta2,
    double decay, double eps, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> value, gradient, mean, square;
    for (size_t i = 0; i < count; ++i) {
      value.push_back(*values[i]);
      // The kernel reads memory in a row, whatever the strides.
      gradient.push_back(gradients[i]->contiguous());
      mean.push_back(*means[i]);
      square.push_back(*squares[i]);
    }
    const std::vector<at::Tensor> step(count, *steps);
    at::_fused_adamw_(value, gradient, mean, square, {}, step, lr, beta1, beta2, decay, eps,
                      /*amsgrad=*/false, /*maximize=*/false, *divisor);
  });
}

// How exact products of f32 matrices are, and convolutions on GPUs: `highest`, `high` or `medium`.
extern "C" bool crosstune_matmul_precision(
    const char* precision, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    at::globalContext().setFloat32MatmulPrecision(precision);
    // Convolutions on GPUs go by another switch.
    at::globalContext().setAllowTF32CuDNN(std::strcmp(precision, "highest") != 0);
  });
}

// The generator that all drawing on a device comes from: the CPU's where `cuda` is negative, else that
// of the GPU with this index.
static const at::Generator& crosstune_generator(int cuda) {
  const auto index = static_cast<c10::DeviceIndex>(cuda);
  return at::globalContext().defaultGenerator(cuda < 0 ? at::Device(at::kCPU)
                                                       : at::Device(at::kCUDA, index));
}

// The state of a generator, as bytes on the CPU.
extern "C" at::Tensor* crosstune_generator_state(
    int cuda, char* problem, size_t capacity) noexcept {
  at::Tensor* state = nullptr;
  guarded(problem, capacity, [&] {
    at::Generator generator = crosstune_generator(cuda);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    state = new at::Tensor(generator.get_state());
  });
  return state;
}

// Lets a generator go on from a state.
extern "C" bool crosstune_set_generator_state(
    int cuda, const at::Tensor* state, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    at::Generator generator = crosstune_generator(cuda);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(*state);
  });
}

// Turns autocast on in this thread for the devices of `of`'s kind, to bf16 or else to f16. What was
// set before is written to `enabled` and `dtype`, for `crosstune_autocast_leave`.
extern "C" bool crosstune_autocast_enter(
    const at::Tensor* of, bool bf16, bool* enabled, int* dtype, char* problem,
    size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    const auto device = of->device().type();
    *enabled = at::autocast::is_autocast_enabled(device);
    *dtype = static_cast<int>(at::autocast::get_autocast_dtype(device));
    at::autocast::set_autocast_dtype(device, bf16 ? at::kBFloat16 : at::kHalf);
    at::autocast::set_autocast_enabled(device, true);
    at::autocast::increment_nesting();
  });
}

// Undoes `crosstune_autocast_enter`. The outermost leaving drops the cast copies of the weights, as
// they change with the next step: what torch.autocast does at its exit.
extern "C" bool crosstune_autocast_leave(
    const at::Tensor* of, bool enabled, int dtype, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    const auto device = of->device().type();
    if (at::autocast::decrement_nesting() == 0) {
      at::autocast::clear_cache();
    }
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, static_cast<at::ScalarType>(dtype));
  });
}

// Multiplies gradients by `inverse`, a scalar tensor of one element, and sets `found`, of one
// element, to 1 if one of them is not finite.
extern "C" bool crosstune_unscale(
    const at::Tensor* const* gradients, size_t count, const at::Tensor* inverse,
    const at::Tensor* found, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> all;
    for (size_t i = 0; i < count; ++i) {
      all.push_back(*gradients[i]);
    }
    at::Tensor flag = *found;
    at::_amp_foreach_non_finite_check_and_unscale_(all, flag, *inverse);
  });
}
