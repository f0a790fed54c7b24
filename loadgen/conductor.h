// loadgen/conductor.h: internal to loadgen. A run from its command line to its report.
//
// Plans, starts one thread for each ring, moves the phases on, watches processes and progress, and
// fills the report. Ownership: owns all of a run. Thread rule: main's. Invariants: the report is
// filled from what the rings counted, after they have stopped; an interrupt ends the phase at hand
// and everything after it goes its ordinary way, so that what was measured is told.
#pragma once

#include <algorithm>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "loadgen/control_link.h"
#include "loadgen/options.h"
#include "loadgen/process_usage.h"
#include "loadgen/progress.h"
#include "loadgen/ring_runner.h"
#include "ring/backend.h"

namespace ringtalk::loadgen {

struct RunProblem {
  Exit exit;
  std::string text;  // one line
};

class Conductor {
 public:
  // `out`: plan and progress, null for none.
  Conductor(const Options& options, const base::Clock& clock, std::FILE* out);
  ~Conductor();

  base::Result<RunReport, RunProblem> run();

 private:
  // At one moment: what has been used and what has been done.
  struct Sample {
    uint64_t at_ns = 0;
    std::optional<ProcessUsage> own, server;
    uint64_t issued = 0, acknowledged = 0, delivered = 0;
  };
  struct Totals {
    uint64_t ready = 0, prepared = 0, reached = 0, issued = 0, acknowledged = 0, delivered = 0;
    uint64_t beats_answered = 0, lost = 0;
    bool settled = true;
    // In service, and in their rooms where the load has rooms.
    uint64_t back() const noexcept { return std::min(ready, prepared); }
  };

  base::Status<RunProblem> prepare();
  base::Status<RunProblem> open_link();
  base::Status<RunProblem> make_rings();
  void start_threads();
  void ramp();
  void hold();
  void settle();
  void stop();

  // Lets `until() -> bool` decide every 50 ms; false when interrupted or after `timeout_s`.
  template <class Until>
  bool watch(const char* phase, double shown_s, double timeout_s, Until&& until);
  void set_phase(Phase phase);
  Totals totals() const;
  Sample sample();
  void say(const std::string& text);

  void fill(RunReport& report);
  void fill_processes(RunReport& report);
  void fill_memory(RunReport& report, bool active);
  void fill_rates(RunReport& report);
  void judge_validity(RunReport& report, uint64_t own_beats_late, uint64_t lag_us);
  void judge_return(RunReport& report, uint64_t unresolved);

  const Options& options_;
  const base::Clock& clock_;
  std::FILE* const out_;
  Progress progress_;
  proto::KeyRing keys_;
  ring::Backend backend_ = ring::Backend::epoll;
  AddressPlan addresses_;
  ThreadPlan threads_;
  std::unique_ptr<RunState> state_;
  std::unique_ptr<ControlLink> link_;
  std::vector<std::unique_ptr<ring::Proactor>> proactors_;
  std::vector<std::unique_ptr<RingRunner>> rings_;
  std::vector<std::thread> workers_;
  std::optional<std::latch> all_ended_;  // every ring and the conductor
  std::optional<int64_t> server_pid_;
  std::optional<uint64_t> served_before_;  // connections, the control link's among them
  std::optional<std::string> stats_before_, stats_after_;
  std::string backend_name_, rung_;
  Sample empty_, full_, begin_, end_;
  uint64_t ramp_start_ns_ = 0;
  std::optional<double> ramp_s_;
  uint64_t reached_ = 0;  // in service at the end of the ramp
  uint64_t back_ = 0;     // and at the end of settling
  std::vector<SeriesPoint> series_;
  uint64_t next_point_ns_ = 0;
  bool interrupted_ = false;
};

}  // namespace ringtalk::loadgen
