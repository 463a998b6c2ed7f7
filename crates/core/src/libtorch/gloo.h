// The few of Gloo's types that libtorch's `ProcessGroupGloo.hpp` names.
//
// That header includes five of Gloo's, which no wheel of PyTorch ships, and no registry has a package of
// them. The layout of `ProcessGroupGloo` and of its options does not depend on what Gloo's types are: it
// holds them behind pointers alone. So these declarations are enough to compile what calls its constructor
// and `Options::create_default`, both of which libtorch exports, and to call everything else through
// `c10d::Backend`'s virtual functions. Nothing of Gloo is defined, made or looked into here. That libtorch
// is the version whose header this is, the build script checks; that it has the symbols, the linker does.
//
// The build script writes five files of Gloo's names that include this one.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace gloo {

class Context {
 public:
  void setTimeout(std::chrono::milliseconds timeout);
};

namespace rendezvous {

class Store {
 public:
  virtual ~Store();
  virtual void set(const std::string& key, const std::vector<char>& data) = 0;
  virtual std::vector<char> get(const std::string& key) = 0;
  virtual void wait(const std::vector<std::string>& keys) = 0;
  virtual void wait(
      const std::vector<std::string>& keys, const std::chrono::milliseconds& timeout) = 0;
};

}  // namespace rendezvous

namespace transport {

class Device;

class UnboundBuffer {
 public:
  virtual ~UnboundBuffer() = 0;
};

}  // namespace transport

}  // namespace gloo
