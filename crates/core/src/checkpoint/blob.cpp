// Makes a tensor of memory that somebody else owns, which tch's own binding cannot: it has no
// deleter.

#include <ATen/core/Tensor.h>
#include <ATen/ops/from_blob.h>

#include <cstring>
#include <exception>

namespace {

void say(const char* what, char* problem, size_t capacity) {
  if (capacity > 0) {
    std::strncpy(problem, what, capacity - 1);
    problem[capacity - 1] = '\0';
  }
}

}  // namespace

// A contiguous tensor over `data`, of the element type of `like`. `release(owner)` is called once:
// when the last tensor over the memory goes, or before this returns null. Then `problem` says why.
extern "C" at::Tensor* crosstune_from_blob(
    void* data, const int64_t* sizes, size_t dims, const at::Tensor* like, void* owner,
    void (*release)(void*), char* problem, size_t capacity) noexcept {
  try {
    // From `context` on, which throws nothing, the maker owns the memory and releases it.
    return new at::Tensor(at::for_blob(data, at::IntArrayRef(sizes, dims))
                              .context(owner, release)
                              .options(like->options())
                              .make_tensor());
  } catch (const std::exception& e) {
    say(e.what(), problem, capacity);
  } catch (...) {
    say("an unknown exception", problem, capacity);
  }
  return nullptr;
}
