// The contract suite on epoll.
#include "contract.h"
#include "ring/backend.h"

namespace ringtalk::ring::contract {
namespace {

class EpollWorld final : public World {
 public:
  explicit EpollWorld(const char* at) : at_(*Address::parse(at)) {}

  std::unique_ptr<Proactor> make(const ProactorOptions& options) override {
    return std::move(make_proactor(Backend::epoll, options).value());
  }
  const base::Clock& clock() override { return clock_; }
  Address listen_address() override { return at_; }

 private:
  const Address at_;
  base::SystemClock clock_;
};

const Case kV4{"v4", [] { return std::make_unique<EpollWorld>("127.0.0.1:0"); }, runs_always};
const Case kV6{"v6", [] { return std::make_unique<EpollWorld>("[::1]:0"); }, why_not_ipv6};

}  // namespace

INSTANTIATE_TEST_SUITE_P(OnEpoll, Contract, testing::Values(kV4, kV6),
                         [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(OnEpoll, Kernel, testing::Values(kV4, kV6),
                         [](const auto& each) { return each.param.name; });

}  // namespace ringtalk::ring::contract
