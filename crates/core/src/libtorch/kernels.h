// Loops over plain memory that libtorch has no kernel for: dropout in one pass, and attention with dropout
// that never writes its weights. They know no tensor; `fused.cpp` calls them. Chance is a function of a
// seed and of an element's index: a backward pass draws it again rather than keep it, and it is the same
// on any number of threads.

#pragma once

#include <cstddef>
#include <cstdint>

namespace crosstune {

// Of 65,536 random words, those below `below` drop an element; the others multiply it by `factor`.
struct Noise {
  uint64_t seed;
  int32_t below;
  float factor;
};

// Elements that are dropped together in one call, and a whole part of where each call begins.
constexpr size_t DROPPED_AT_ONCE = 4096;

// `out[i] = add[i] + x[i] · noise(i)` for the elements from `begin`, at most `DROPPED_AT_ONCE`. `add` may
// be null, and `out` may be either. Elements are f32, or bf16 where `halves`.
void drop(const void* x, const void* add, void* out, size_t begin, size_t end, bool halves, Noise noise);

// `[rows, width]` of one head, whose rows lie `stride` elements apart.
struct Head {
  const void* data;
  size_t stride;
};

// The same, to write to.
struct Out {
  void* data;
  size_t stride;
};

// Whether query `i` attends to key `j`: the bool at `data + i · row + j · column`. Null: each to all.
struct Mask {
  const bool* data;
  size_t row;
  size_t column;
};

// What one head's attention is computed from.
struct Attention {
  Head q, k, v;
  Mask mask;
  // To no later position.
  bool causal;
  // Elements are bf16, not f32.
  bool halves;
  size_t queries, keys, width;
  float scale;
  // `below` is 0 where nothing is dropped.
  Noise noise;
  // The number of its first weight, of all in the batch that may be dropped.
  uint64_t first;
};

// How many weights of a head are numbered: its rows are filled up.
size_t weights_of(const Attention& head);

// f32 values of working memory that a head's attention needs, either way.
size_t scratch(const Attention& of);

// `out [queries, width]`, and each query's largest score and the inverse of its sum, `[queries, 2]`.
void attend(const Attention& of, Out out, float* sums, float* scratch);

// The gradients of `q`, `k` and `v` from that of the output, and the output itself.
void attend_backward(
    const Attention& of, Head gradient, Head output, const float* sums, Out dq, Out dk, Out dv,
    float* scratch);

// `out [columns, rows]` of `x [rows, columns]`, for the columns from `begin` to `end`.
void transpose(const float* x, size_t rows, size_t columns, float* out, size_t begin, size_t end);

}  // namespace crosstune
