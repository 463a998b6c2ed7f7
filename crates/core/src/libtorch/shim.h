// What the C++ files share.
#pragma once

#include <cstring>
#include <exception>

namespace crosstune {

inline void say(const char* what, char* problem, size_t capacity) {
  if (capacity > 0) {
    std::strncpy(problem, what, capacity - 1);
    problem[capacity - 1] = '\0';
  }
}

// Runs `work`; whether it threw nothing.
template <typename Work>
bool guarded(char* problem, size_t capacity, const Work& work) noexcept {
  try {
    work();
    return true;
  } catch (const std::exception& e) {
    say(e.what(), problem, capacity);
  } catch (...) {
    say("an unknown exception", problem, capacity);
  }
  return false;
}

}  // namespace crosstune
