// src/main.cc: the only place where the concrete parts of ringtalkd are named and wired.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <sodium.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/workers.h"
#include "cluster/in_process.h"
#include "proto/token.h"
#include "ring/backend.h"
#include "ring/proactor.h"
#include "service/config_load.h"
#include "service/data_directory.h"
#include "service/door.h"
#include "service/launch.h"
#include "service/node.h"
#include "service/password.h"
#include "service/shard.h"
#include "store/open_store.h"
#include "version.h"

extern char** environ;

namespace ringtalk {
namespace {

constexpr int kExitGood = 0;
constexpr int kExitFailed = 1;
constexpr int kExitMisuse = 2;
constexpr uint64_t kPredecessorMs = 3'000;
// A shard alone waits for its kernel; while all stop, each looks whether the others have.
constexpr uint64_t kIdleTurnNs = 3'600'000 * base::kNsPerMs;
constexpr uint64_t kStoppingTurnNs = 5 * base::kNsPerMs;

[[noreturn]] void misuse(const std::string& line) {
  base::fatal(("ringtalkd: " + line).c_str());
}

// What threads of the process tell the main thread, by a queued signal (sigqueue(3)).
enum class Event : int { shard_ended, store_failed, stats_ready };
const int kEventSignal = SIGRTMIN;

void tell_main(Event event) noexcept {
  sigval value{};
  value.sival_int = static_cast<int>(event);
  ::sigqueue(::getpid(), kEventSignal, value);
}

sigset_t handled_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, kEventSignal}) {
    ::sigaddset(&set, number);
  }
  return set;
}

ring::Backend backend_of(const std::string& name) {
  if (name == "io_uring") return ring::Backend::io_uring;
  return name == "epoll" ? ring::Backend::epoll : ring::Backend::automatic;
}

const char* name_of(ring::Backend backend) {
  return backend == ring::Backend::io_uring ? "io_uring" : "epoll";
}

uint32_t cores_of_host() {
  return std::max(1u, std::thread::hardware_concurrency());
}

class Server {
 public:
  Server(const service::CommandLine& line, service::LoadedConfig loaded)
      : line_(line), loaded_(std::move(loaded)) {}
  ~Server();
  // Everything that can be checked without serving, making or locking anything.
  void check_all();
  void start();
  int serve();
  int migrate();

 private:
  const service::Config& config() const { return loaded_.config; }
  void make_log();
  void check();
  void choose_backend();
  void open_data();
  void open_ports();
  void open_store();
  void start_shards();
  void say_ready();
  void run_shard(uint32_t index);
  int handle_signals();
  void reload();
  void write_stats(const service::StatsRound& round);
  std::string data_path() const;
  store::StoreUrl store_url() const;

  const service::CommandLine& line_;
  service::LoadedConfig loaded_;
  service::Daemon daemon_;
  base::SystemClock clock_;
  std::unique_ptr<base::Log> log_;
  std::optional<service::DataDirectory> data_;
  proto::KeyRing keys_;
  ring::Backend backend_ = ring::Backend::epoll;
  service::CapacityPlan plan_{};
  uint64_t users_ = 0;
  std::mutex events_mutex_;
  std::string store_failure_;
  std::unique_ptr<service::StatsRound> stats_round_;
  // Ended in the order from the last to the first: shards use everything above them.
  std::unique_ptr<base::Workers> passwords_;
  std::vector<std::unique_ptr<ring::Proactor>> proactors_;
  std::unique_ptr<service::Node> node_;
  cluster::Switchboard switchboard_;
  std::unique_ptr<cluster::Switchboard::Port> port_;
  std::unique_ptr<store::Store> store_;
  std::vector<ring::Address> addresses_;
  std::optional<std::latch> shards_ended_;
  std::latch nobody_wakes_{1};
  std::vector<std::thread> threads_;
};

Server::~Server() {
  // Nobody answers to a shard any more before the shards go.
  if (store_) store_->stop();
  store_.reset();
  passwords_.reset();
  port_.reset();
  node_.reset();
}

// ---- start

void Server::make_log() {
  log_ = std::make_unique<base::Log>(base::LogOptions{base::parse_log_level(config().log_level),
                                                      ::isatty(STDERR_FILENO) == 0, STDERR_FILENO});
}

void Server::check() {
  if (config().relay != "none") {
    misuse("--relay " + config().relay +
           " needs the cluster, which this version does not have; "
           "leave --relay none");
  }
  choose_backend();
  const store::StoreUrl url = store_url();
  const bool on_disk = url.kind == store::StoreUrl::Kind::sqlite;
  const auto usable = service::check_places(config(), data_path(), on_disk ? url.path : "");
  if (!usable) misuse(usable.error().line);
}

void Server::check_all() {
  make_log();
  check();
  const auto steps = store::pending_migrations(store_url());
  if (!steps) misuse(steps.error().line);
}

void Server::start() {
  if (config().daemon) {
    const auto entered = daemon_.enter();
    if (!entered) misuse(entered.error().line);
  }
  // Before the first thread, so that all inherit it and only sigwaitinfo sees them.
  const sigset_t set = handled_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  if (!service::start_password_library()) misuse("libsodium cannot start; reinstall libsodium23");
  make_log();
  check();
  open_data();
  open_ports();
  open_store();
  start_shards();
  say_ready();
}

void Server::choose_backend() {
  const uint64_t descriptors = ring::raise_descriptor_limit();
  const auto choice =
      ring::choose_backend(backend_of(config().backend), config().uring_mask.c_str());
  if (!choice) misuse(choice.error().text);
  backend_ = choice->backend;
  if (!choice->reason.empty()) log_->write(base::LogLevel::warn, choice->reason);
  const auto table = [this](uint32_t shards) { return ring::connections_max(backend_, shards); };
  const auto plan = service::plan_capacity(config(), cores_of_host(), table, descriptors);
  if (!plan) misuse(plan.error().line);
  plan_ = *plan;
}

void Server::open_data() {
  if (service::needs_data_directory(config())) {
    auto opened = service::DataDirectory::open(data_path(), kPredecessorMs);
    if (!opened) misuse(opened.error().line);
    data_.emplace(std::move(*opened));
  }
  if (!config().token_key.empty()) {
    const auto key = proto::read_token_key(config().token_key);
    if (!key) misuse(key.error().text);
    keys_.add(1, *key);
    return;
  }
  const auto key = data_->token_key();
  if (!key) misuse(key.error().line);
  keys_.add(1, *key);
}

void Server::open_ports() {
  addresses_ = service::listen_addresses(config());
  if (config().share_port) return;
  for (const ring::Address& at : addresses_) {
    if (at.port == 0) continue;
    const auto free = service::probe_port(at, kPredecessorMs);
    if (!free) misuse(free.error().line);
  }
}

std::string Server::data_path() const {
  return config().data_dir.empty() ? service::default_data_directory() : config().data_dir;
}

store::StoreUrl Server::store_url() const {
  const std::string text = config().store.empty()
                               ? "sqlite:" + service::DataDirectory::store_file_in(data_path())
                               : config().store;
  const auto url = store::parse_store_url(text);
  if (!url) misuse(url.error().line);
  return *url;
}

void Server::open_store() {
  service::NodeOptions options;
  options.limits = config().limits;
  options.connections_max = plan_.connections_max;
  options.load_users = !config().token_key.empty();
  randombytes_buf(&options.seed, sizeof options.seed);
  service::NodeEvents events;
  events.store_failed = [this](const std::string& reason) {
    std::lock_guard lock(events_mutex_);
    store_failure_ = reason;
    tell_main(Event::store_failed);
  };
  events.stats_for_main = [this](std::unique_ptr<service::StatsRound> round) {
    std::lock_guard lock(events_mutex_);
    stats_round_ = std::move(round);
    tell_main(Event::stats_ready);
  };
  passwords_ = base::make_thread_workers("password", config().limits.password_hashes,
                                         config().limits.password_hashes_waiting);
  node_ = std::make_unique<service::Node>(options, clock_, *passwords_, keys_, std::move(events));

  auto opened = store::open_store(store_url(), *node_, clock_, store::StoreOptions{});
  if (!opened) misuse(opened.error().line);
  store_ = std::move(opened->store);
  users_ = opened->users;
  port_ = switchboard_.join(opened->node, *node_);
  const service::NodeMemory memory{{opened->node, opened->boot}, std::move(opened->revocations)};
  node_->attach(memory, *store_, *port_, *port_);
}

void Server::start_shards() {
  ring::ProactorOptions options;
  options.connections = plan_.slots;
  options.uring_mask = config().uring_mask.c_str();
  options.per_core = (plan_.shards + cores_of_host() - 1) / cores_of_host();
  std::vector<ring::Proactor*> proactors;
  for (uint32_t i = 0; i < plan_.shards; i++) {
    auto made = ring::make_proactor(backend_, options);
    if (!made) misuse(made.error().text);
    proactors_.push_back(std::move(*made));
    proactors.push_back(proactors_.back().get());
  }
  node_->add_shards(proactors, plan_.slots);
  for (ring::Address& at : addresses_) {
    for (uint32_t i = 0; i < plan_.shards; i++) {
      const auto listening = node_->shard(i).listen(at);
      if (!listening) {
        misuse("cannot listen on " + at.text() + ": " + ring::to_string(listening.error()) +
               "; give another --listen ADDR:PORT");
      }
      at = *listening;  // the others share the port that the first one got
    }
  }
  shards_ended_.emplace(plan_.shards);
  for (uint32_t i = 0; i < plan_.shards; i++) {
    threads_.emplace_back([this, i] { run_shard(i); });
    const std::string name = "shard-" + std::to_string(i);
    ::pthread_setname_np(threads_.back().native_handle(), name.c_str());
  }
}

void Server::run_shard(uint32_t index) {
  service::Shard& shard = node_->shard(index);
  while (!node_->stopped()) {
    const uint64_t turn_ns = shard.stopping() ? kStoppingTurnNs : kIdleTurnNs;
    shard.turn(clock_.now_ns() + turn_ns);
  }
  tell_main(Event::shard_ended);
  // A proactor ends on the thread that ran it (io_uring takes no other), and only when nobody wakes
  // it any more.
  shards_ended_->count_down();
  nobody_wakes_.wait();
  proactors_[index].reset();
}

void Server::say_ready() {
  // Not before: a start that fails says one line.
  log_->write(base::LogLevel::info, "capacity: " + plan_.line(name_of(backend_)));
  const ring::Address& client = addresses_.front();
  if (!config().ports_file.empty()) {
    const auto written = service::write_by_rename(
        config().ports_file, service::ports_json(client, name_of(backend_), plan_.shards));
    if (!written) misuse(written.error().line);
  }
  const std::string line =
      "ready " + client.text() + " " + name_of(backend_) + ", " + std::to_string(plan_.shards) +
      (plan_.shards == 1 ? " shard" : " shards") + ", room for " +
      service::with_thousands(plan_.connections_max) + ", store " + store_->describe() + " (" +
      service::with_thousands(users_) + (users_ == 1 ? " user" : " users") + "), pid " +
      std::to_string(::getpid());
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
  daemon_.ready(data_ ? data_->log_file() : std::string());
}

// ---- serving

int Server::serve() {
  const int status = handle_signals();
  shards_ended_->wait();
  if (!config().stats_file.empty()) write_stats(*node_->snapshot());
  store_->stop();
  passwords_.reset();
  nobody_wakes_.count_down();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (status == kExitGood) {
    log_->write(base::LogLevel::info, "stopped as asked");
  } else {
    // The last line tells the reason: it is the one that a service manager shows.
    log_->write(base::LogLevel::error, "stopped: " + store_failure_);
  }
  return status;
}

int Server::handle_signals() {
  const sigset_t set = handled_signals();
  int status = kExitGood;
  bool stopping = false;
  for (uint32_t ended = 0; ended < plan_.shards;) {
    siginfo_t info{};
    const int number = ::sigwaitinfo(&set, &info);
    if (number == SIGTERM || number == SIGINT) {
      log_->write(base::LogLevel::info, stopping ? "stopping now" : "stopping",
                  {{"connections", node_->connections()}});
      node_->order_all(stopping ? service::orders::kHurry : service::orders::kDrain);
      stopping = true;
    } else if (number == SIGHUP) {
      reload();
    } else if (number == SIGUSR1) {
      if (!stopping) node_->ask_all(service::kStatsForMain, 0, 0, 0);
    } else if (number == kEventSignal && info.si_code == SI_QUEUE) {
      std::unique_lock lock(events_mutex_);
      switch (static_cast<Event>(info.si_value.sival_int)) {
        case Event::shard_ended:
          ended++;
          break;
        case Event::store_failed:
          status = kExitFailed;
          stopping = true;
          log_->write(base::LogLevel::error, store_failure_);
          node_->order_all(service::orders::kHurry);
          break;
        case Event::stats_ready: {
          // Of two rounds that ended before this was heard, the later one stands for both.
          const auto round = std::move(stats_round_);
          lock.unlock();
          if (round != nullptr) write_stats(*round);
          break;
        }
      }
    }
  }
  return status;
}

void Server::reload() {
  const auto fresh = service::load_config(line_, environ);
  if (!fresh) {
    log_->write(base::LogLevel::error, "nothing reloaded: " + fresh.error().line);
    return;
  }
  const std::vector<std::string> lines = service::take_reloadable(loaded_, *fresh);
  for (const std::string& line : lines) log_->write(base::LogLevel::info, "reload: " + line);
  log_->write(base::LogLevel::info, "reloaded", {{"changed", lines.size()}});
  log_->set_level(base::parse_log_level(config().log_level));
  node_->reload(config().limits);
}

void Server::write_stats(const service::StatsRound& round) {
  const std::string json = service::stats_json(round);
  if (config().stats_file.empty()) {
    log_->write(base::LogLevel::info, "statistics: " + json);
    return;
  }
  const auto written = service::write_by_rename(config().stats_file, json + "\n");
  if (!written) log_->write(base::LogLevel::error, written.error().line);
}

// ---- migrate

int Server::migrate() {
  // Only to look, nothing is made and nothing is locked.
  const bool looks = line_.dry_run && !data_path().empty();
  if (config().store != "memory:" && !looks) open_data();
  const store::StoreUrl url = store_url();
  const auto steps = store::pending_migrations(url);
  if (!steps) misuse(steps.error().line);
  for (const std::string& step : *steps) std::printf("%s\n", step.c_str());
  if (steps->empty()) std::printf("%s is up to date\n", url.text().c_str());
  if (line_.dry_run || steps->empty()) return kExitGood;
  proto::KeyRing no_keys;
  passwords_ = base::make_thread_workers("password", 1, 1);
  node_ = std::make_unique<service::Node>(service::NodeOptions{}, clock_, *passwords_, no_keys,
                                          service::NodeEvents{});
  auto opened = store::open_store(url, *node_, clock_, store::StoreOptions{});
  if (!opened) misuse(opened.error().line);
  opened->store->stop();
  std::printf("done: %zu applied to %s\n", steps->size(), url.text().c_str());
  return kExitGood;
}

int run(int argc, char** argv) {
  // Tables that grow by doubling go back to the kernel when they are left: glibc would raise the
  // threshold by itself and keep them (mallopt(3)).
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  const auto line = service::parse_command_line(argc, argv, kVersionText);
  if (!line) misuse(line.error().line);
  if (!line->print.empty()) {
    std::fputs(line->print.c_str(), stdout);
    return kExitGood;
  }
  auto loaded = service::load_config(*line, environ);
  if (!loaded) misuse(loaded.error().line);
  if (line->print_config) std::fputs(service::print_config(*loaded).c_str(), stdout);
  if (line->print_config && !line->check_config) return kExitGood;
  Server server(*line, std::move(*loaded));
  if (line->check_config) {
    server.check_all();
    std::printf("%sthe configuration is good\n", line->print_config ? "# " : "");
    return kExitGood;
  }
  if (line->command == service::Command::migrate) return server.migrate();
  server.start();
  return server.serve();
}

}  // namespace
}  // namespace ringtalk

int main(int argc, char** argv) {
  return ringtalk::run(argc, argv);
}
