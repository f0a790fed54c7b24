// The contract suite on epoll.
#include "contract.h"
#include "ring/backend.h"

namespace ringtalk::ring::contract {
namespace {

class EpollWorld final : public World {
 public:
  std::unique_ptr<Proactor> make(const ProactorOptions& options) override {
    return std::move(make_proactor(Backend::epoll, options).value());
  }
  const base::Clock& clock() override { return clock_; }

 private:
  base::SystemClock clock_;
};

const Case kEpoll{"epoll", [] { return std::make_unique<EpollWorld>(); }};

}  // namespace

INSTANTIATE_TEST_SUITE_P(OnEpoll, Contract, testing::Values(kEpoll),
                         [](const auto& each) { return each.param.name; });

}  // namespace ringtalk::ring::contract
