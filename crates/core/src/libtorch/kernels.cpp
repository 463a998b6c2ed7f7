#include "kernels.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#define ALWAYS inline __attribute__((always_inline))
#define INLINE static ALWAYS

namespace crosstune {
namespace {

// Rows are filled up to a multiple of so many values: whole vectors, whatever their width. As elements are
// drawn by their index in such rows, chance is the same on every machine.
constexpr size_t FILL = 16;
// Queries whose scores are computed together.
constexpr size_t QUERIES = 32;
constexpr float LOWEST = -FLT_MAX;
constexpr uint64_t GOLDEN = 0x9E3779B97F4A7C15;

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

constexpr size_t filled(size_t n) { return (n + FILL - 1) / FILL * FILL; }

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

// Vectors are as wide as the machine's registers: compilers take wider ones apart through memory.
#if defined(__x86_64__)
namespace vectors_of_512_bits {
#define TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl"))) static
#define BYTES 64
constexpr int ROWS = 8;
#include "kernels.inc"
#undef BYTES
#undef TARGET
}  // namespace vectors_of_512_bits

namespace vectors_of_256_bits {
#define TARGET __attribute__((target("avx2,fma"))) static
#define BYTES 32
constexpr int ROWS = 6;
#include "kernels.inc"
#undef BYTES
#undef TARGET
}  // namespace vectors_of_256_bits
#endif

namespace vectors_of_all {
#define TARGET static
#define BYTES 16
constexpr int ROWS = 4;
#include "kernels.inc"
#undef BYTES
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

size_t weights_of(const Attention& head) { return head.queries * filled(head.keys); }

size_t scratch(const Attention& of) {
  const size_t n = filled(of.keys), w = filled(of.width);
  return 5 * n * w + 4 * QUERIES * w + 2 * QUERIES * n + 2 * n + 64 + 16 * FILL;
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
