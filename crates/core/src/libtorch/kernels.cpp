#include "kernels.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#define INLINE static inline __attribute__((always_inline))

namespace crosstune {
namespace {

constexpr size_t LANES = 16;
// Queries whose scores are computed together.
constexpr size_t QUERIES = 32;
constexpr float LOWEST = -FLT_MAX;
constexpr uint64_t GOLDEN = 0x9E3779B97F4A7C15;

typedef float Wide __attribute__((vector_size(64)));
typedef int32_t WideInt __attribute__((vector_size(64)));
typedef float Loose __attribute__((vector_size(64), aligned(4), may_alias));

INLINE Wide load(const float* from) { return *reinterpret_cast<const Loose*>(from); }
INLINE void store(float* to, Wide x) { *reinterpret_cast<Loose*>(to) = x; }

INLINE float wide(float x) { return x; }
INLINE float wide(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
INLINE void narrow(float x, float& to) { to = x; }
// To the nearest bf16, of two equally near ones to the even.
INLINE void narrow(float x, uint16_t& to) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const uint32_t rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  to = static_cast<uint16_t>(x != x ? 0x7FC0 : rounded);
}

// The finaliser of SplitMix64 (Steele et al. 2014).
INLINE uint64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

constexpr size_t filled(size_t n) { return (n + LANES - 1) / LANES * LANES; }

// Pieces of working memory, one after the other.
struct Taken {
  explicit Taken(float* memory) : memory(memory) {}
  float* next(size_t n) {
    float* piece = memory;
    memory += filled(n);
    return piece;
  }
  float* memory;
};

// R rows of C vectors of a product's sums, kept in registers.
template <int R, int C>
INLINE void tile(
    size_t k, const float* a, size_t row, size_t step, const float* b, size_t ldb, float* c, size_t ldc,
    bool add) {
  Wide sums[R][C];
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < C; ++j) sums[r][j] = add ? load(c + r * ldc + j * LANES) : Wide{};
  }
  for (size_t l = 0; l < k; ++l) {
    Wide right[C];
    for (int j = 0; j < C; ++j) right[j] = load(b + l * ldb + j * LANES);
    for (int r = 0; r < R; ++r) {
      const float left = a[r * row + l * step];
      for (int j = 0; j < C; ++j) sums[r][j] += left * right[j];
    }
  }
  for (int r = 0; r < R; ++r) {
    for (int j = 0; j < C; ++j) store(c + r * ldc + j * LANES, sums[r][j]);
  }
}

// C vectors of each of `m` rows, R at a time, then fewer.
template <int R, int C>
INLINE void rows_of(
    size_t m, size_t k, const float* a, size_t row, size_t step, const float* b, size_t ldb, float* c,
    size_t ldc, bool add) {
  size_t i = 0;
  for (; i + R <= m; i += R) tile<R, C>(k, a + i * row, row, step, b, ldb, c + i * ldc, ldc, add);
  if constexpr (R > 1) {
    if (i < m) rows_of<R / 2, C>(m - i, k, a + i * row, row, step, b, ldb, c + i * ldc, ldc, add);
  }
}

// e to the x, for x from -87 to 0, within 2 units in the last place; below, 0. By Cephes' polynomial.
INLINE Wide exponential(Wide x) {
  const float lowest = -87.33654f, shift = 12582912.f;
  const WideInt none = x < lowest;
  x = none ? Wide{} + lowest : x;
  const Wide shifted = x * 1.44269504f + shift;
  const Wide n = shifted - shift;
  const Wide r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Wide p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  const WideInt power = ((WideInt)shifted + (127 - 0x4B400000)) << 23;
  const Wide value = p * (Wide)power;
  return none ? Wide{} : value;
}

INLINE float largest(const float* x, size_t n) {
  Wide most = load(x);
  for (size_t i = LANES; i < n; i += LANES) {
    const Wide next = load(x + i);
    most = next > most ? next : most;
  }
  float top = most[0];
  for (size_t l = 1; l < LANES; ++l) top = std::max(top, static_cast<float>(most[l]));
  return top;
}

INLINE float total(Wide x) {
  float sum = 0.f;
  for (size_t l = 0; l < LANES; ++l) sum += x[l];
  return sum;
}

// Puts e to the `x - top` in the place of each x. Their sum.
INLINE float exponentials(float* x, size_t n, float top) {
  Wide sum{};
  for (size_t i = 0; i < n; i += LANES) {
    const Wide e = exponential(load(x + i) - top);
    store(x + i, e);
    sum += e;
  }
  return total(sum);
}

INLINE float dot(const float* x, const float* y, size_t n) {
  Wide sum{};
  for (size_t i = 0; i < n; i += LANES) sum += load(x + i) * load(y + i);
  return total(sum);
}

#if defined(__x86_64__)
namespace vectors_of_512_bits {
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))) static
constexpr int ROWS = 8;
#include "kernels.inc"
#undef TARGET
}  // namespace vectors_of_512_bits

namespace vectors_of_256_bits {
#define TARGET __attribute__((target("avx2,fma"))) static
constexpr int ROWS = 2;
#include "kernels.inc"
#undef TARGET
}  // namespace vectors_of_256_bits
#endif

namespace vectors_of_all {
#define TARGET static
constexpr int ROWS = 2;
#include "kernels.inc"
#undef TARGET
}  // namespace vectors_of_all

// Calls the function for the widest vectors that this machine has.
#if defined(__x86_64__)
bool has_512_bits() {
  return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
bool has_256_bits() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#define WIDEST(call)                                   \
  static const bool of_512 = has_512_bits();           \
  static const bool of_256 = has_256_bits();           \
  if (of_512) return vectors_of_512_bits::call;        \
  if (of_256) return vectors_of_256_bits::call;        \
  return vectors_of_all::call
#else
#define WIDEST(call) return vectors_of_all::call
#endif

template <typename T>
void drop_as(const void* x, const void* add, void* out, size_t begin, size_t end, Noise noise) {
  const T *from = static_cast<const T*>(x), *more = static_cast<const T*>(add);
  WIDEST(drop<T>(from, more, static_cast<T*>(out), begin, end, noise));
}

template <typename T>
void attend_as(const Attention& of, Out out, float* sums, float* memory) {
  WIDEST(attend<T>(of, out, sums, memory));
}

template <typename T>
void attend_backward_as(
    const Attention& of, Head gradient, Head output, const float* sums, Out dq, Out dk, Out dv,
    float* memory) {
  WIDEST(attend_backward<T>(of, gradient, output, sums, dq, dk, dv, memory));
}

}  // namespace

void drop(const void* x, const void* add, void* out, size_t begin, size_t end, bool halves, Noise noise) {
  if (halves) return drop_as<uint16_t>(x, add, out, begin, end, noise);
  drop_as<float>(x, add, out, begin, end, noise);
}

size_t scratch(const Attention& of) {
  const size_t n = filled(of.keys), w = filled(of.width);
  return 5 * n * w + 4 * QUERIES * w + 2 * QUERIES * n + 2 * n + 64 + 16 * LANES;
}

void attend(const Attention& of, Out out, float* sums, float* memory) {
  if (of.halves) return attend_as<uint16_t>(of, out, sums, memory);
  attend_as<float>(of, out, sums, memory);
}

void attend_backward(
    const Attention& of, Head gradient, Head output, const float* sums, Out dq, Out dk, Out dv,
    float* memory) {
  if (of.halves) {
    return attend_backward_as<uint16_t>(of, gradient, output, sums, dq, dk, dv, memory);
  }
  attend_backward_as<float>(of, gradient, output, sums, dq, dk, dv, memory);
}

void transpose(const float* x, size_t rows, size_t columns, float* out, size_t begin, size_t end) {
  WIDEST(transpose(x, rows, columns, out, begin, end));
}

}  // namespace crosstune
