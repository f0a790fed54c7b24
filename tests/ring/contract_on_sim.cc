// The contract suite on the simulated network: calm, and with the faults that the contract hides.
#include "contract.h"
#include "ring/sim_network.h"
#include "ring/sim_proactor.h"

namespace ringtalk::ring::contract {
namespace {

class SimWorld final : public World {
 public:
  explicit SimWorld(const SimFaults& faults) : network_(1, clock_, faults) {}

  std::unique_ptr<Proactor> make(const ProactorOptions& options) override {
    return std::make_unique<SimProactor>(network_, options, true);
  }
  const base::Clock& clock() override { return clock_; }

 private:
  base::ManualClock clock_;
  SimNetwork network_;
};

Case with(const char* name, const SimFaults& faults) {
  return {name, [faults] { return std::make_unique<SimWorld>(faults); }};
}

// Resets and silence are no part of the contract's tests: they are what the simulation is for.
const Case kCalm = with("sim", {});
const Case kRough = with("sim_rough", {.latency_min_ns = 1,
                                       .latency_max_ns = 3'000'000,
                                       .window_bytes = 1'500,
                                       .short_send = 0.5,
                                       .split = 0.5,
                                       .stale = 0.5});

}  // namespace

INSTANTIATE_TEST_SUITE_P(OnSim, Contract, testing::Values(kCalm, kRough),
                         [](const auto& each) { return each.param.name; });

}  // namespace ringtalk::ring::contract
