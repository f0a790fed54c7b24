#include "loadgen/conductor.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <random>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kLookNs = 50'000'000;
constexpr uint64_t kLinkTimeoutNs = 5 * kSecondNs;
// What is needed to be ready before the schedule begins, on every ring at once.
constexpr uint64_t kRunUpNs = kSecondNs / 10;

// The number under which a server holds the key that it was started with.
constexpr uint8_t kKeyId = 1;

sigset_t interrupts() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

// Blocked, and to be taken by the next watch().
bool interrupt_waits() {
  sigset_t waiting;
  sigemptyset(&waiting);
  ::sigpending(&waiting);
  return sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1;
}

base::Failure<RunProblem> problem(Exit exit, std::string text) {
  return base::Failure{RunProblem{exit, std::move(text)}};
}

// 37 bits: users, rooms and message ids of two runs on one store never meet.
uint64_t random_run_id() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) & ((uint64_t{1} << 37) - 1);
}

ring::ProactorOptions ring_options(uint32_t clients, size_t rings) {
  ring::ProactorOptions options;
  options.connections = clients + spare_slots(clients);
  options.listeners = 1;
  // Rings beyond one per core hold idle clients: their pools need not be large.
  if (rings > std::max(1u, std::thread::hardware_concurrency())) {
    options.buffers = 8;
    options.buffer_bytes = 4 * 1024;
  }
  return options;
}

}  // namespace

Conductor::Conductor(const Options& options, const base::Clock& clock, std::FILE* out)
    : options_(options),
      clock_(clock),
      out_(out),
      progress_(out, out != nullptr && ::isatty(::fileno(out)) == 1) {}

Conductor::~Conductor() = default;

base::Result<RunReport, RunProblem> Conductor::run() {
  const sigset_t set = interrupts();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const auto ready = prepare();
  if (!ready) return base::Failure{ready.error()};
  empty_ = sample();
  start_threads();
  ramp();
  if (!interrupted_ && reached_ > 0) hold();
  if (end_.at_ns != 0) settle();
  stop();
  RunReport report;
  fill(report);
  return report;
}

// ---- before the first client

base::Status<RunProblem> Conductor::prepare() {
  const auto key = proto::read_token_key(options_.token_key);
  if (!key) {
    const bool told_how = key.error().text.find("run: ") != std::string::npos;
    return problem(Exit::usage, key.error().text + (told_how ? ""
                                                             : "; loadgen needs the key file that "
                                                               "ringtalkd was started with"));
  }
  keys_.add(kKeyId, *key);
  ring::raise_descriptor_limit();
  const auto choice = ring::choose_backend(options_.backend, "");
  if (!choice) return problem(Exit::usage, choice.error().text);
  backend_ = choice->backend;
  if (!choice->reason.empty()) say(choice->reason);

  threads_ = plan_threads(options_.scenario.connections, options_.threads,
                          [this](uint32_t n) { return ring::connections_max(backend_, n); });
  say(threads_.text);
  if (!threads_.enough) return problem(Exit::usage, "not enough connections: " + threads_.text);
  addresses_ = plan_addresses(options_.targets, options_.scenario.connections, host_facts());
  say(addresses_.text);
  if (!addresses_.enough) return problem(Exit::usage, "not enough addresses: " + addresses_.text);

  state_ = std::make_unique<RunState>(options_.scenario, threads_, addresses_, keys_);
  state_->run_id = random_run_id();
  const auto linked = open_link();
  if (!linked) return linked;
  return make_rings();
}

base::Status<RunProblem> Conductor::open_link() {
  const ring::Address& target = options_.targets.front();
  auto proactor = ring::make_proactor(backend_, ring_options(4, 1));
  if (!proactor) return problem(Exit::usage, proactor.error().text);
  link_ = std::make_unique<ControlLink>(std::move(proactor).value(), clock_, target, keys_,
                                        state_->run_id);
  switch (link_->open(kLinkTimeoutNs, interrupt_waits)) {
    case ControlLink::Opened::ready:
      break;
    case ControlLink::Opened::unreachable:
      return problem(Exit::unreachable, "cannot reach " + target.text() + ": " + link_->problem() +
                                            "; start ringtalkd there or name it with --target");
    case ControlLink::Opened::given_up:
      return problem(Exit::interrupted, "interrupted before " + target.text() + " had answered");
    case ControlLink::Opened::refused:
      return problem(Exit::usage, target.text() + " refused the token (" + link_->problem() +
                                      "): start ringtalkd with --token-key " + options_.token_key);
  }
  stats_before_ = link_->stats(kLinkTimeoutNs);
  if (!stats_before_) return base::Done{};
  served_before_ = server_accepted(*stats_before_);
  const auto pid = server_pid(*stats_before_);
  // A pid says something only about this machine.
  bool here = target.is_loopback();
  for (const ring::Address& own : host_facts().local) {
    here = here || (own.bytes == target.bytes && own.family == target.family);
  }
  if (pid && here && usage_of(static_cast<pid_t>(*pid))) server_pid_ = *pid;
  return base::Done{};
}

base::Status<RunProblem> Conductor::make_rings() {
  for (size_t i = 0; i < threads_.rings.size(); i++) {
    auto proactor = ring::make_proactor(
        backend_, ring_options(threads_.rings[i].clients, threads_.rings.size()));
    if (!proactor) return problem(Exit::usage, proactor.error().text);
    proactors_.push_back(std::move(proactor).value());
    state_->wakers.push_back(proactors_.back().get());
  }
  backend_name_ = proactors_.front()->backend();
  rung_ = proactors_.front()->rung();
  for (size_t i = 0; i < proactors_.size(); i++) {
    rings_.push_back(std::make_unique<RingRunner>(*proactors_[i], clock_, *state_, i));
  }
  return base::Done{};
}

// ---- phases

void Conductor::start_threads() {
  ramp_start_ns_ = clock_.now_ns();
  next_point_ns_ = ramp_start_ns_;
  // A proactor belongs to the thread that ran it until it is destroyed, and others wake it until
  // all of them have ended.
  all_ended_.emplace(static_cast<ptrdiff_t>(rings_.size()) + 1);
  for (size_t i = 0; i < rings_.size(); i++) {
    workers_.emplace_back([this, i] {
      rings_[i]->run();
      rings_[i]->leave();
      all_ended_->arrive_and_wait();
      proactors_[i].reset();
    });
  }
}

void Conductor::ramp() {
  const uint64_t wanted = options_.scenario.connections;
  const bool all = watch("ramp", 0, options_.scenario.ramp.timeout_s, [&](const Totals& now) {
    return now.ready == wanted && now.prepared == wanted;
  });
  reached_ = totals().ready;
  if (all) ramp_s_ = static_cast<double>(clock_.now_ns() - ramp_start_ns_) / 1e9;
}

void Conductor::hold() {
  if (!stats_before_) stats_before_ = link_->stats(kLinkTimeoutNs);
  full_ = sample();
  const auto duration_ns = static_cast<uint64_t>(options_.scenario.duration_s * 1e9);
  state_->hold_start_ns = clock_.now_ns() + kRunUpNs;
  state_->hold_end_ns = state_->hold_start_ns + duration_ns;
  set_phase(Phase::hold);
  watch("run", 0, static_cast<double>(kRunUpNs) / 1e9, [](const Totals&) { return false; });
  // Then nothing has begun, and nothing was measured.
  if (interrupted_) return;
  begin_ = sample();
  watch("run", options_.scenario.duration_s, options_.scenario.duration_s,
        [this](const Totals&) { return clock_.now_ns() >= state_->hold_end_ns; });
  end_ = sample();
  // What was intended for later is not late: it was not wanted any more.
  if (interrupted_) state_->hold_end_ns = clock_.now_ns();
}

void Conductor::settle() {
  set_phase(Phase::settle);
  if (interrupted_) {
    progress_.finish();
    say("interrupted: waiting for what is under way, at most " +
        grouped(static_cast<uint64_t>(options_.scenario.settle.timeout_s + 0.5)) +
        " s; Ctrl-C again ends at once, without a report");
  }
  const bool was_interrupted = interrupted_;
  interrupted_ = false;
  watch("settle", 0, options_.scenario.settle.timeout_s,
        [this](const Totals& now) { return now.settled && now.back() >= reached_; });
  interrupted_ = interrupted_ || was_interrupted;
  stats_after_ = link_->stats(kLinkTimeoutNs);
  // Who was cut a moment ago is known by now.
  back_ = totals().back();
}

void Conductor::stop() {
  set_phase(Phase::stop);
  all_ended_->arrive_and_wait();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  progress_.finish();
}

void Conductor::set_phase(Phase phase) {
  state_->phase.store(phase, std::memory_order_release);
  for (base::Waker* waker : state_->wakers) waker->wake();
}

template <class Until>
bool Conductor::watch(const char* phase, double shown_s, double timeout_s, Until&& until) {
  const sigset_t set = interrupts();
  const uint64_t start_ns = clock_.now_ns();
  for (;;) {
    const Totals now = totals();
    const uint64_t now_ns = clock_.now_ns();
    const double passed_s = static_cast<double>(now_ns - start_ns) / 1e9;
    ProgressView view{phase, passed_s, shown_s};
    view.ready = now.ready;
    view.requested = options_.scenario.connections;
    view.issued = now.issued;
    view.acknowledged = now.acknowledged;
    view.delivered = now.delivered;
    view.beats_answered = now.beats_answered;
    view.lost = now.lost;
    progress_.show(now_ns, view);
    if (now_ns >= next_point_ns_) {
      series_.push_back({static_cast<double>(now_ns - ramp_start_ns_) / 1e9, now.ready, now.issued,
                         now.acknowledged, now.delivered});
      next_point_ns_ += kSecondNs;
    }
    if (until(now)) return true;
    if (interrupted_ || passed_s >= timeout_s) return false;
    link_->poll();
    const double left_s = timeout_s - passed_s;
    const auto wait_ns = std::min<uint64_t>(kLookNs, static_cast<uint64_t>(left_s * 1e9) + 1);
    const timespec wait{0, static_cast<long>(wait_ns)};
    if (::sigtimedwait(&set, nullptr, &wait) <= 0) continue;
    interrupted_ = true;
    // A second one ends the process as it would any other.
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
}

Conductor::Totals Conductor::totals() const {
  Totals sum;
  constexpr auto relaxed = std::memory_order_relaxed;
  for (size_t i = 0; i < rings_.size(); i++) {
    const RingLive& live = state_->live[i];
    sum.ready += live.ready.load(relaxed);
    sum.prepared += live.prepared.load(relaxed);
    sum.reached += live.reached.load(relaxed);
    sum.issued += live.issued.load(relaxed);
    sum.acknowledged += live.acknowledged.load(relaxed);
    sum.delivered += live.delivered.load(relaxed);
    sum.beats_answered += live.beats_answered.load(relaxed);
    sum.lost += live.lost.load(relaxed);
    sum.settled = sum.settled && live.settled.load(std::memory_order_acquire);
  }
  return sum;
}

Conductor::Sample Conductor::sample() {
  Sample taken;
  const Totals now = totals();
  taken.issued = now.issued;
  taken.acknowledged = now.acknowledged;
  taken.delivered = now.delivered;
  taken.own = usage_of(::getpid());
  if (server_pid_) taken.server = usage_of(static_cast<pid_t>(*server_pid_));
  taken.at_ns = clock_.now_ns();
  return taken;
}

void Conductor::say(const std::string& text) {
  if (out_ != nullptr) std::fprintf(out_, "%s\n", text.c_str());
}

}  // namespace ringtalk::loadgen
