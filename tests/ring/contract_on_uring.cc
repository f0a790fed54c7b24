// The contract suite on io_uring, on each rung of its ladder.
#include "contract.h"
#include "ring/backend.h"

namespace ringtalk::ring::contract {
namespace {

class UringWorld final : public World {
 public:
  explicit UringWorld(const char* mask) : mask_(mask) {}

  std::unique_ptr<Proactor> make(const ProactorOptions& options) override {
    ProactorOptions masked = options;
    masked.uring_mask = mask_;
    return std::move(make_proactor(Backend::io_uring, masked).value());
  }
  const base::Clock& clock() override { return clock_; }

 private:
  const char* const mask_;
  base::SystemClock clock_;
};

Case rung(const char* name, const char* mask) {
  return {name, [mask] { return std::make_unique<UringWorld>(mask); },
          [mask] {
            const auto choice = choose_backend(Backend::io_uring, mask);
            return choice ? std::string() : choice.error().text;
          }};
}

const auto kRungs = testing::Values(
    rung("all", ""), rung("no_defer_taskrun", "defer_taskrun"),
    rung("no_incremental_buffers", "incremental_buffers"), rung("no_peer_name", "peer_name"),
    rung("no_multishot_accept", "multishot_accept"),
    rung("no_multishot_receive", "multishot_receive"),
    rung("linux_6_1", "incremental_buffers,peer_name,multishot_accept,bounded_taskrun"),
    rung("none",
         "defer_taskrun,incremental_buffers,peer_name,multishot_accept,multishot_receive,"
         "bounded_taskrun"));

}  // namespace

INSTANTIATE_TEST_SUITE_P(OnUring, Contract, kRungs,
                         [](const auto& each) { return each.param.name; });
INSTANTIATE_TEST_SUITE_P(OnUring, Kernel, kRungs, [](const auto& each) { return each.param.name; });

}  // namespace ringtalk::ring::contract
