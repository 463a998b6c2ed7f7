// Operations with backward passes of their own, which libtorch lacks or has in many passes: products by
// oneDNN, dropout, attention with dropout, and parts of a model that are computed again for the backward pass.

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/jit/frontend/tracer.h>

#include <dlfcn.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <memory>
#include <optional>
#include <unordered_set>
#include <vector>

#include "kernels.h"
#include "shim.h"

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace crosstune {
namespace {

// Calls `work(i)` for each `i` below `count`, on the threads that libtorch computes with; see `threads.rs`.
template <typename Work>
void each(size_t count, const Work& work) {
  struct Shared {
    const Work& work;
    size_t count;
    std::atomic<size_t> next{0};
  } shared{work, count};
  auto run = [](void* shared_by_all) {
    auto& shared = *static_cast<Shared*>(shared_by_all);
    for (size_t i; (i = shared.next.fetch_add(1)) < shared.count;) shared.work(i);
  };
  using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
  static const auto parallel = reinterpret_cast<Parallel>(dlsym(RTLD_DEFAULT, "GOMP_parallel"));
  const auto threads = std::min<size_t>(at::get_num_threads(), count);
  if (parallel && threads > 1) {
    parallel(run, &shared, threads, 0);
  } else {
    run(&shared);
  }
}

bool is_bf16(const Tensor& x) { return x.scalar_type() == at::kBFloat16; }

std::optional<Tensor> optional(const Tensor* x) {
  return x ? std::optional<Tensor>(*x) : std::nullopt;
}

// A new tensor for tch to own; null if `work` threw.
template <typename Work>
Tensor* made(char* problem, size_t capacity, const Work& work) noexcept {
  Tensor* out = nullptr;
  guarded(problem, capacity, [&] { out = new Tensor(work()); });
  return out;
}

// ------------------------------------------------------------------ products

// libtorch keeps 1,024 of oneDNN's computations for each thread, with memory of their own for each shape that it
// has seen: where lengths vary, hundreds of megabytes. oneDNN itself keeps what is costly to make. It is told
// ahead of `main`, while there is one thread; a value of the user's own stands.
__attribute__((constructor)) void keep_few_computations() {
  setenv("LRU_CACHE_CAPACITY", "16", /*overwrite=*/0);
}

// Whether f32 products are oneDNN's rather than MKL's, which takes half of vectors of 512 bits where the CPU is
// not Intel's own.
bool prefers_onednn() {
#if defined(__x86_64__)
  static const bool other = at::hasMKL() && at::hasMKLDNN() && !__builtin_cpu_is("intel") &&
                            __builtin_cpu_supports("avx512f");
  return other && at::globalContext().userEnabledMkldnn();
#else
  return false;
#endif
}

// `x Wᵀ + b` in f32; the strides of `w` may be any.
Tensor product(const Tensor& x, const Tensor& w, const std::optional<Tensor>& b) {
  using Pointwise = Tensor(
      const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view,
      c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);
  static const auto call = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("mkldnn::_linear_pointwise", "")
                               .typed<Pointwise>();
  at::AutoDispatchBelowADInplaceOrView below;
  return call.call(x, w, b, "none", c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

// `xᵀ` of `x [rows, columns]` in memory of its own.
Tensor transposed(const Tensor& x) {
  const Tensor from = x.contiguous();
  const size_t rows = from.size(0), columns = from.size(1);
  Tensor out = at::empty({from.size(1), from.size(0)}, from.options());
  const size_t strip = 64;
  each((columns + strip - 1) / strip, [&](size_t i) {
    transpose(from.const_data_ptr<float>(), rows, columns, out.data_ptr<float>(), i * strip,
              std::min(columns, (i + 1) * strip));
  });
  return out;
}

struct Linear : torch::autograd::Function<Linear> {
  static Tensor forward(
      AutogradContext* ctx, const Tensor& x, const Tensor& w, const std::optional<Tensor>& b) {
    ctx->save_for_backward({x, w});
    ctx->saved_data["bias"] = b.has_value();
    return product(x, w, b);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &w = saved[1];
    const Tensor g = gradients[0].reshape({-1, w.size(0)});
    variable_list out(3);
    if (ctx->needs_input_grad(0)) out[0] = product(g, w.t(), {}).view(x.sizes());
    if (ctx->needs_input_grad(1)) {
      out[1] = product(transposed(g), x.reshape({-1, w.size(1)}).t(), {});
    }
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) out[2] = g.sum(0);
    return out;
  }
};

Tensor linear_layer(const Tensor& x, const Tensor& w, const std::optional<Tensor>& b) {
  const bool exact = x.device().is_cpu() && x.layout() == at::kStrided &&
                     x.scalar_type() == at::kFloat && w.scalar_type() == at::kFloat;
  const bool usual = !exact || x.numel() == 0 || w.numel() == 0 || !prefers_onednn() ||
                     at::autocast::is_autocast_enabled(at::kCPU) || torch::jit::tracer::isTracing();
  if (usual) return at::linear(x, w, b);
  return Linear::apply(x, w, b);
}

// ------------------------------------------------------------------ dropout

Noise noise_of(double p, uint64_t seed) {
  constexpr double WORDS = 65536.;
  const double below = std::min(std::round(p * WORDS), WORDS - 1.);
  return {seed, static_cast<int32_t>(below), static_cast<float>(WORDS / (WORDS - below))};
}

// A seed from libtorch's generator.
int64_t drawn() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  std::lock_guard<std::mutex> lock(generator.mutex());
  return static_cast<int64_t>(at::check_generator<at::CPUGeneratorImpl>(generator)->random64());
}

// `x · noise`, plus `add` where there is one.
Tensor dropped(const Tensor& x, const Tensor& add, Noise noise) {
  const Tensor from = x.contiguous(), more = add.defined() ? add.contiguous() : add;
  Tensor out = at::empty(from.sizes(), from.options());
  const size_t n = from.numel();
  const void *data = from.const_data_ptr(), *added = more.defined() ? more.const_data_ptr() : nullptr;
  void* to = out.mutable_data_ptr();
  each((n + DROPPED_AT_ONCE - 1) / DROPPED_AT_ONCE, [&](size_t i) {
    const size_t begin = i * DROPPED_AT_ONCE, end = std::min(n, begin + DROPPED_AT_ONCE);
    drop(data, added, to, begin, end, is_bf16(from), noise);
  });
  return out;
}

struct Dropout : torch::autograd::Function<Dropout> {
  static Tensor forward(
      AutogradContext* ctx, const Tensor& x, const std::optional<Tensor>& add, double p, int64_t seed) {
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = seed;
    ctx->saved_data["added"] = add.has_value();
    at::AutoDispatchBelowADInplaceOrView below;
    return dropped(x, add.value_or(Tensor()), noise_of(p, seed));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto noise = noise_of(ctx->saved_data["p"].toDouble(), ctx->saved_data["seed"].toInt());
    variable_list out(4);
    if (ctx->needs_input_grad(0)) out[0] = dropped(gradients[0], {}, noise);
    if (ctx->saved_data["added"].toBool()) out[1] = gradients[0];
    return out;
  }
};

// ------------------------------------------------------------------ attention

// With elements of a vector side by side.
Tensor in_rows(const Tensor& x) { return x.stride(-1) == 1 ? x : x.contiguous(); }

// `[B, heads, T, W]`, of which each position's heads lie side by side.
Tensor positions(at::IntArrayRef sizes, const Tensor& like) {
  return at::empty({sizes[0], sizes[2], sizes[1], sizes[3]}, like.options()).transpose(1, 2);
}

// One head of one sequence: its row in the batch, its number, and its first position.
struct Place {
  size_t row, head, from;
};

// The data of the vectors of heads.
struct Heads {
  explicit Heads(const Tensor& x)
      : data(static_cast<char*>(const_cast<void*>(x.const_data_ptr()))),
        size(x.element_size()), batch(x.stride(0)), head(x.stride(1)), row(x.stride(2)) {}
  void* at(Place of) const { return data + size * (of.row * batch + of.head * head + of.from * row); }
  Head in(Place of) const { return {at(of), row}; }
  Out out(Place of) const { return {at(of), row}; }
  char* data;
  size_t size, batch, head, row;
};

// What heads are computed from, and where they lie: of a batch of sequences of one length, or of sequences
// one behind the other in one row, between the positions of `cu_seqlens`.
struct Shape {
  Shape(
      const Tensor& q, const Tensor& k, const Tensor& mask, const Tensor& cu_seqlens, bool causal,
      double scale, Noise noise)
      : heads(q.size(1)), positions(q.size(2)), packed(cu_seqlens.defined()), masked(mask.defined()) {
    of.causal = causal;
    of.halves = is_bf16(q);
    of.queries = q.size(2), of.keys = k.size(2), of.width = q.size(3);
    of.scale = static_cast<float>(scale);
    of.noise = noise;
    if (packed) {
      TORCH_CHECK(q.size(0) == 1, "packed sequences lie in one row");
      const int64_t* ends = cu_seqlens.const_data_ptr<int64_t>();
      bounds.assign(ends, ends + cu_seqlens.numel());
      all = mask;
    } else {
      bounds.resize(q.size(0) + 1);
      if (masked) all = mask.expand({q.size(0), q.size(1), q.size(2), k.size(2)});
    }
    if (masked) of.mask.row = all.stride(-2), of.mask.column = all.stride(-1);
    size_t weights = 0;
    for (size_t i = 0; i + 1 < bounds.size(); ++i) {
      first.push_back(weights);
      weights += heads * weights_of(sized(i));
    }
  }

  // Of a sequence's heads, what they share.
  Attention sized(size_t sequence) const {
    Attention head = of;
    if (packed) head.queries = head.keys = bounds[sequence + 1] - bounds[sequence];
    return head;
  }

  // Calls `work` for each head, with where its queries' sums lie, and f32 working memory.
  template <typename Work>
  void each_head(const Heads& q, const Heads& k, const Heads& v, const Work& work) const {
    const bool* open = masked ? all.const_data_ptr<bool>() : nullptr;
    each((bounds.size() - 1) * heads, [&](size_t i) {
      const size_t sequence = i / heads, h = i % heads;
      Attention head = sized(sequence);
      if (head.queries == 0) return;
      const Place at = packed ? Place{0, h, bounds[sequence]} : Place{sequence, h, 0};
      head.q = q.in(at), head.k = k.in(at), head.v = v.in(at);
      head.mask.data = open;
      if (open && !packed) head.mask.data += sequence * all.stride(0) + h * all.stride(1);
      head.first = first[sequence] + h * weights_of(head);
      thread_local std::vector<float> memory;
      memory.resize(std::max(memory.size(), scratch(head)));
      work(head, at, 2 * ((at.row * heads + h) * positions + at.from), memory.data());
    });
  }

  size_t heads, positions;
  bool packed, masked;
  // Where each sequence begins, and the end; if they are packed.
  std::vector<size_t> bounds;
  // Of each sequence, the number of its first weight.
  std::vector<uint64_t> first;
  Tensor all;
  Attention of{};
};

struct Attend : torch::autograd::Function<Attend> {
  static Tensor forward(
      AutogradContext* ctx, const Tensor& queries, const Tensor& keys, const Tensor& values,
      const std::optional<Tensor>& open, const std::optional<Tensor>& cu_seqlens, bool causal, double scale,
      double p, int64_t seed) {
    at::AutoDispatchBelowADInplaceOrView below;
    const Tensor q = in_rows(queries), k = in_rows(keys), v = in_rows(values);
    const Tensor mask = open.value_or(Tensor()), ends = cu_seqlens.value_or(Tensor());
    const Shape shape(q, k, mask, ends, causal, scale, noise_of(p, seed));
    const Tensor out = positions(q.sizes(), q);
    const Tensor sums = at::empty({q.size(0), q.size(1), q.size(2), 2}, q.options().dtype(at::kFloat));
    const Heads to(out);
    float* tops = sums.mutable_data_ptr<float>();
    shape.each_head(Heads(q), Heads(k), Heads(v), [&](const Attention& of, Place at, size_t sum, float* memory) {
      attend(of, to.out(at), tops + sum, memory);
    });
    ctx->save_for_backward({q, k, v, mask, ends, out, sums});
    ctx->saved_data["causal"] = causal;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = seed;
    return out;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& gradients) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &mask = saved[3], &ends = saved[4];
    auto& data = ctx->saved_data;
    const auto noise = noise_of(data["p"].toDouble(), data["seed"].toInt());
    const Shape shape(q, k, mask, ends, data["causal"].toBool(), data["scale"].toDouble(), noise);
    const Tensor g = in_rows(gradients[0]);
    const Tensor dq = positions(q.sizes(), q), dk = positions(k.sizes(), k), dv = positions(v.sizes(), v);
    const Heads in(g), made(saved[5]), to_q(dq), to_k(dk), to_v(dv);
    const float* tops = saved[6].const_data_ptr<float>();
    shape.each_head(Heads(q), Heads(k), Heads(v), [&](const Attention& of, Place at, size_t sum, float* memory) {
      attend_backward(
          of, in.in(at), made.in(at), tops + sum, to_q.out(at), to_k.out(at), to_v.out(at), memory);
    });
    return {dq, dk, dv, {}, {}, {}, {}, {}, {}};
  }
};

// ------------------------------------------------------------------ computing again

// The state of chance on a device and of autocast, as it is now.
struct State {
  explicit State(at::Device device) : device(device), generator(of(at::kCPU).get_state()) {
    if (!device.is_cpu()) device_generator = of(device).get_state();
    kind = device.type();
    autocast = at::autocast::is_autocast_enabled(kind);
    dtype = at::autocast::get_autocast_dtype(kind);
  }

  void restore() const {
    of(at::kCPU).set_state(generator);
    if (device_generator.defined()) of(device).set_state(device_generator);
    at::autocast::set_autocast_enabled(kind, autocast);
    at::autocast::set_autocast_dtype(kind, dtype);
  }

  static at::Generator of(at::Device device) { return at::globalContext().defaultGenerator(device); }

  at::Device device;
  Tensor generator, device_generator;
  at::DeviceType kind;
  bool autocast;
  at::ScalarType dtype;
};

// A part of a model: a function of a tensor, and what it lives by.
struct Part {
  Tensor* (*call)(void* closure, const Tensor* x);
  void (*release)(void* closure);
  void* closure;

  Part(Tensor* (*call)(void*, const Tensor*), void (*release)(void*), void* closure)
      : call(call), release(release), closure(closure) {}
  Part(const Part&) = delete;
  ~Part() { release(closure); }

  Tensor operator()(const Tensor& x) const {
    const std::unique_ptr<Tensor> y(call(closure, &x));
    TORCH_CHECK(y, "a part that is computed again failed");
    return *y;
  }
};

// Keeps a part's input instead of all that its backward pass needs, and computes that again.
struct Recompute : torch::autograd::Node {
  Recompute(std::shared_ptr<Part> part, const Tensor& x, State state)
      : part(std::move(part)), x(x.detach()), needs(x.requires_grad()), state(std::move(state)) {}

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return variable_list(num_outputs());
    const State now(x.device());
    state.restore();
    Tensor input = x.detach().requires_grad_(needs), y;
    {
      at::AutoGradMode on(true);
      y = (*part)(input);
    }
    // Casts of weights are kept for as long as autocast is on, and no longer.
    at::autocast::clear_cache();
    now.restore();
    variable_list wanted;
    std::vector<size_t> at;
    for (size_t i = 0; i < num_outputs(); ++i) {
      if (!task_should_compute_output(i)) continue;
      at.push_back(i);
      wanted.push_back(i == 0 ? input : leaves[i - 1]);
    }
    variable_list out(num_outputs());
    if (wanted.empty()) return out;
    // Kept, as parts may share what lies behind them.
    auto found = torch::autograd::grad({y}, wanted, {gradients[0]}, true, false, true);
    for (size_t i = 0; i < at.size(); ++i) out[at[i]] = std::move(found[i]);
    return out;
  }

  std::string name() const override { return "Recompute"; }

  std::shared_ptr<Part> part;
  Tensor x;
  bool needs;
  State state;
  // The parameters that the part depends on.
  variable_list leaves;
};

// The parameters behind `y`, but for `input`.
variable_list leaves_of(const Tensor& y, const Tensor& input) {
  variable_list found;
  std::vector<torch::autograd::Node*> open{y.grad_fn().get()};
  std::unordered_set<torch::autograd::Node*> seen;
  while (!open.empty()) {
    auto* node = open.back();
    open.pop_back();
    if (!node || !seen.insert(node).second) continue;
    if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      if (!leaf->variable.is_same(input)) found.push_back(leaf->variable);
    }
    for (const auto& edge : node->next_edges()) open.push_back(edge.function.get());
  }
  return found;
}

Tensor recomputed(const std::shared_ptr<Part>& part, const Tensor& x) {
  if (!at::GradMode::is_enabled() || torch::jit::tracer::isTracing()) return (*part)(x);
  auto node = std::make_shared<Recompute>(part, x, State(x.device()));
  const Tensor input = x.detach().requires_grad_(x.requires_grad());
  const Tensor y = (*part)(input);
  if (!y.grad_fn()) return y;
  node->leaves = leaves_of(y, input);
  torch::autograd::edge_list edges{torch::autograd::impl::gradient_edge(x)};
  for (const auto& leaf : node->leaves) edges.push_back(torch::autograd::impl::gradient_edge(leaf));
  node->set_next_edges(std::move(edges));
  Tensor out = y.detach();
  torch::autograd::create_gradient_edge(out, node);
  return out;
}

}  // namespace

// ------------------------------------------------------------------ for `fused.rs`

extern "C" Tensor* crosstune_linear(
    const Tensor* x, const Tensor* w, const Tensor* b, char* problem, size_t capacity) noexcept {
  return made(problem, capacity, [&] { return linear_layer(*x, *w, optional(b)); });
}

// `add` plus `x`, of which each element is dropped with probability `p`; CPU only.
extern "C" Tensor* crosstune_dropout(
    const Tensor* x, const Tensor* add, double p, char* problem, size_t capacity) noexcept {
  return made(problem, capacity, [&] { return Dropout::apply(*x, optional(add), p, drawn()); });
}

// Attention of `[B, heads, T, W]`, with dropout `p` of its weights; CPU only. `cu_seqlens`: of `B` = 1, each
// of the sequences that begin there attends to itself.
extern "C" Tensor* crosstune_attention(
    const Tensor* q, const Tensor* k, const Tensor* v, const Tensor* mask, const Tensor* cu_seqlens,
    bool causal, double scale, double p, char* problem, size_t capacity) noexcept {
  return made(problem, capacity, [&] {
    if (!cu_seqlens && torch::jit::tracer::isTracing()) {
      return at::scaled_dot_product_attention(*q, *k, *v, optional(mask), p, causal, scale);
    }
    const auto like = [&](const Tensor* x) { return x->to(v->scalar_type()); };
    const int64_t seed = p > 0. ? drawn() : 0;
    return Attend::apply(
        like(q), like(k), *v, optional(mask), optional(cu_seqlens), causal, scale, p, seed);
  });
}

// Whether what is computed now is written down as TorchScript: it may depend on no value of a tensor.
extern "C" bool crosstune_is_tracing() noexcept { return torch::jit::tracer::isTracing(); }

// What `call(closure, x)` makes, whose backward pass calls it again. `release(closure)` is called once, when
// nothing needs the closure any more, or before this returns null.
extern "C" Tensor* crosstune_recompute(
    const Tensor* x, void* closure, Tensor* (*call)(void*, const Tensor*), void (*release)(void*),
    char* problem, size_t capacity) noexcept {
  return made(problem, capacity, [&] {
    return recomputed(std::make_shared<Part>(call, release, closure), *x);
  });
}

}  // namespace crosstune
