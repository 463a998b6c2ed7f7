// PyTorch's engine of distributed training, c10d: stores, process groups and their collectives. As in
// `shim.cpp`, each function says in `problem` why it could not do its work, and lets no exception out.

#define USE_C10D_GLOO

#include <ATen/core/Tensor.h>
#include <c10/util/Logging.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "shim.h"

using c10::intrusive_ptr;
using c10d::Backend;
using c10d::Store;
using c10d::Work;
using crosstune::guarded;
using std::chrono::milliseconds;

namespace {

// Owned by the other language.
using StorePtr = intrusive_ptr<Store>;
using GroupPtr = intrusive_ptr<Backend>;
using WorkPtr = intrusive_ptr<Work>;

std::vector<uint8_t> bytes(const uint8_t* data, size_t length) {
  return std::vector<uint8_t>(data, data + length);
}

}  // namespace

// libtorch's own warnings of connections that are tried again go to stderr; unless asked for, errors alone
// remain. Before anything else here.
extern "C" void crosstune_c10d_quiet() noexcept {
  setenv("TORCH_CPP_LOG_LEVEL", "ERROR", /*overwrite=*/0);
  c10::initLogging();
}

// The store at an address: served by this process or reached by it. `port` 0 lets the system choose; the
// port is written back. `world`: how many processes a server waits for; 0: it waits for none.
extern "C" StorePtr* crosstune_tcp_store(
    const char* host, uint16_t* port, bool serve, size_t world, int64_t timeout_ms, char* problem,
    size_t capacity) noexcept {
  StorePtr* made = nullptr;
  guarded(problem, capacity, [&] {
    c10d::TCPStoreOptions options;
    options.port = *port;
    options.isServer = serve;
    if (world > 0) {
      options.numWorkers = world;
    }
    options.waitWorkers = world > 0;
    options.timeout = milliseconds(timeout_ms);
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    *port = store->getPort();
    made = new StorePtr(std::move(store));
  });
  return made;
}

// The part of a store whose keys begin with a prefix.
extern "C" StorePtr* crosstune_prefix_store(
    const char* prefix, const StorePtr* store, char* problem, size_t capacity) noexcept {
  StorePtr* made = nullptr;
  guarded(problem, capacity, [&] {
    made = new StorePtr(c10::make_intrusive<c10d::PrefixStore>(prefix, *store));
  });
  return made;
}

// The same store over a connection of its own.
extern "C" StorePtr* crosstune_store_clone(
    const StorePtr* store, char* problem, size_t capacity) noexcept {
  StorePtr* made = nullptr;
  guarded(problem, capacity, [&] { made = new StorePtr((*store)->clone()); });
  return made;
}

extern "C" void crosstune_store_free(StorePtr* store) noexcept { delete store; }

extern "C" bool crosstune_store_set(
    const StorePtr* store, const char* key, const uint8_t* data, size_t length, char* problem,
    size_t capacity) noexcept {
  return guarded(problem, capacity, [&] { (*store)->set(key, bytes(data, length)); });
}

// Waits for a key at most so long, and hands its value to `take`.
extern "C" bool crosstune_store_get(
    const StorePtr* store, const char* key, int64_t timeout_ms, void* to,
    void (*take)(void* to, const uint8_t* data, size_t length), char* problem,
    size_t capacity) noexcept {
  return guarded(problem, capacity, [&] {
    (*store)->wait({key}, milliseconds(timeout_ms));
    const auto value = (*store)->get(key);
    take(to, value.data(), value.size());
  });
}

// Whether there is such a key.
extern "C" bool crosstune_store_has(
    const StorePtr* store, const char* key, bool* has, char* problem, size_t capacity) noexcept {
  return guarded(problem, capacity, [&] { *has = (*store)->check({key}); });
}

// Adds to a counter, which begins at 0, and writes what it is then to `value`.
extern "C" bool crosstune_store_add(
    const StorePtr* store, const char* key, int64_t* value, char* problem,
    size_t capacity) noexcept {
  return guarded(problem, capacity, [&] { *value = (*store)->add(key, *value); });
}

// A group over Gloo, for tensors in the CPU's memory. `address`: the one that this process listens at;
// null: as PyTorch chooses it (the interfaces in GLOO_SOCKET_IFNAME, or the host's name).
extern "C" GroupPtr* crosstune_gloo(
    const StorePtr* store, int rank, int size, const char* address, int64_t timeout_ms,
    char* problem, size_t capacity) noexcept {
  GroupPtr* made = nullptr;
  guarded(problem, capacity, [&] {
    using c10d::ProcessGroupGloo;
    const milliseconds timeout(timeout_ms);
    intrusive_ptr<ProcessGroupGloo::Options> options;
    if (address == nullptr || std::getenv("GLOO_SOCKET_IFNAME") != nullptr) {
      options = ProcessGroupGloo::Options::create_default(timeout);
    } else {
      options = ProcessGroupGloo::Options::create(timeout);
      options->devices.push_back(ProcessGroupGloo::createDeviceForHostname(address));
    }
    made = new GroupPtr(c10::make_intrusive<ProcessGroupGloo>(*store, rank, size, options));
  });
  return made;
}

// NCCL is in the half of libtorch that runs on GPUs, which a build here need not have, and its header
// wants CUDA's and NCCL's. So its two constructors are looked up by name when they are needed, and called on
// memory that is larger than the objects by far; all else goes through `Backend`'s virtual functions. The
// declarations are those of libtorch 2.11, which the build script checks; only their mangled names and
// their way of passing arguments are used.
namespace {

constexpr const char* kNcclOptions = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb";
constexpr const char* kNccl =
    "_ZN4c10d16ProcessGroupNCCLC1EN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_"
    "default_null_typeIS3_EEEEiiNS2_INS0_7OptionsENS5_IS8_EEEE";
// `ProcessGroupNCCL` has some kilobytes.
constexpr size_t kPlenty = size_t(1) << 16;

// Made by its constructor in memory of its own; as `new` makes it, so that `delete` may take it back.
template <typename Made, typename... Arguments>
intrusive_ptr<Made> constructed(const char* constructor, Arguments... arguments) {
  void* found = dlsym(RTLD_DEFAULT, constructor);
  TORCH_CHECK(found != nullptr, "this libtorch has no NCCL: it is one for CPUs");
  void* memory = ::operator new(kPlenty);
  std::memset(memory, 0, kPlenty);
  try {
    reinterpret_cast<void (*)(void*, Arguments...)>(found)(memory, std::move(arguments)...);
  } catch (...) {
    ::operator delete(memory);
    throw;
  }
  // Both classes have one base class, at their beginning.
  return intrusive_ptr<Made>::unsafe_steal_from_new(static_cast<Made*>(memory));
}

}  // namespace

// A group over NCCL, for tensors on the GPU that is current.
extern "C" GroupPtr* crosstune_nccl(
    const StorePtr* store, int rank, int size, int64_t timeout_ms, char* problem,
    size_t capacity) noexcept {
  GroupPtr* made = nullptr;
  guarded(problem, capacity, [&] {
    auto options = constructed<Backend::Options>(kNcclOptions, false);
    options->timeout = milliseconds(timeout_ms);
    made = new GroupPtr(constructed<Backend>(kNccl, *store, rank, size, options));
  });
  return made;
}

extern "C" void crosstune_group_free(GroupPtr* group) noexcept {
  try {
    delete group;
  } catch (...) {
    // A peer may have gone: there is nothing left to be said to it.
  }
}

// Begins to sum a contiguous tensor over all ranks, in place; null: it could not.
extern "C" WorkPtr* crosstune_all_reduce(
    const GroupPtr* group, const at::Tensor* tensor, char* problem, size_t capacity) noexcept {
  WorkPtr* begun = nullptr;
  guarded(problem, capacity, [&] {
    std::vector<at::Tensor> tensors{tensor->detach()};
    begun = new WorkPtr((*group)->allreduce(tensors));
  });
  return begun;
}

// Begins to give a contiguous tensor the values that it has on a rank, in place.
extern "C" WorkPtr* crosstune_broadcast(
    const GroupPtr* group, const at::Tensor* tensor, int64_t from, char* problem,
    size_t capacity) noexcept {
  WorkPtr* begun = nullptr;
  guarded(problem, capacity, [&] {
    std::vector<at::Tensor> tensors{tensor->detach()};
    c10d::BroadcastOptions options;
    options.rootRank = from;
    begun = new WorkPtr((*group)->broadcast(tensors, options));
  });
  return begun;
}

// Begins to write the tensors of all ranks, which are alike, to the rows of `all`.
extern "C" WorkPtr* crosstune_all_gather(
    const GroupPtr* group, const at::Tensor* tensor, const at::Tensor* all, char* problem,
    size_t capacity) noexcept {
  WorkPtr* begun = nullptr;
  guarded(problem, capacity, [&] {
    std::vector<at::Tensor> inputs{*tensor};
    std::vector<std::vector<at::Tensor>> outputs{all->unbind(0)};
    begun = new WorkPtr((*group)->allgather(outputs, inputs));
  });
  return begun;
}

// Waits until it is done, and forgets it.
extern "C" bool crosstune_work_wait(WorkPtr* work, char* problem, size_t capacity) noexcept {
  const bool done = guarded(problem, capacity, [&] {
    TORCH_CHECK((*work)->wait(), "it was not done");
  });
  delete work;
  return done;
}

namespace {

// The sum over all ranks, whose gradient is the sum of theirs: what each rank's loss makes of it counts.
struct Sum : torch::autograd::Function<Sum> {
  static at::Tensor forward(
      torch::autograd::AutogradContext* context, const at::Tensor& x, int64_t group) {
    context->saved_data["group"] = group;
    return summed(x, group);
  }

  static torch::autograd::variable_list backward(
      torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    return {summed(gradients[0], context->saved_data["group"].toInt()), at::Tensor()};
  }

 private:
  static at::Tensor summed(const at::Tensor& x, int64_t group) {
    std::vector<at::Tensor> tensors{x.clone(at::MemoryFormat::Contiguous)};
    try {
      auto work = (*reinterpret_cast<const GroupPtr*>(group))->allreduce(tensors);
      TORCH_CHECK(work->wait(), "it was not done");
    } catch (const std::exception& e) {
      // What is thrown while gradients are computed comes to light as an error of theirs. The words are those
      // of `c10d.rs`.
      TORCH_CHECK(false, "a sum over all processes failed: ", e.what());
    }
    return tensors[0];
  }
};

}  // namespace

// The sum of a tensor over all ranks, through which gradients flow. The group outlives it.
extern "C" at::Tensor* crosstune_sum(
    const GroupPtr* group, const at::Tensor* tensor, char* problem, size_t capacity) noexcept {
  at::Tensor* made = nullptr;
  guarded(problem, capacity, [&] {
    made = new at::Tensor(Sum::apply(*tensor, reinterpret_cast<int64_t>(group)));
  });
  return made;
}
