// The programs themselves: a real server, and loadgen as a user starts it.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "tests/support/process.h"
#include "tests/support/server.h"

namespace ringtalk::tests {
namespace {

using Json = nlohmann::json;

std::vector<std::string> run_of(const Server& server, const std::string& scenario,
                                const std::vector<std::string>& more) {
  std::vector<std::string> argv{
      program("loadgen"),     "run", scenario, "--target", server.target(), "--token-key",
      server.token_key_file()};
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

Json report_in(const std::string& folder) {
  return Json::parse(read_file(folder + "/run.json"));
}

// A server that writes its statistics when it is asked to.
ServerOptions with_stats(const TemporaryFolder& folder) {
  return {.arguments = {"--stats-file", folder.path() + "/stats.json"}};
}

bool wait_for_stats(Server& server, const TemporaryFolder& folder,
                    const std::function<bool(const Json&)>& enough) {
  return wait_until(
      [&] {
        server.process().signal(SIGUSR1);
        const Json stats = Json::parse(read_file(folder.path() + "/stats.json"), nullptr, false);
        return stats.is_object() && enough(stats);
      },
      &server.process());
}

// Until the server has answered so many echoes: the run is well under way.
bool wait_for_echoes(Server& server, const TemporaryFolder& folder, uint64_t wanted) {
  return wait_for_stats(server, folder, [wanted](const Json& stats) {
    return stats["echoes"].get<uint64_t>() >= wanted;
  });
}

// 'T' for a stopped process, by /proc.
bool is_stopped(const Process& process) {
  const std::string stat = read_file("/proc/" + std::to_string(process.pid()) + "/stat");
  const size_t name_ends = stat.rfind(')');
  return name_ends != std::string::npos && stat.substr(name_ends, 3) == ") T";
}

// Stops it for a time that is part of the load, and answers for how long it really was.
std::chrono::microseconds stop_for(Process& process, long milliseconds) {
  const int timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
  const itimerspec once{{}, {milliseconds / 1'000, milliseconds % 1'000 * 1'000'000}};
  process.signal(SIGSTOP);
  EXPECT_TRUE(wait_until([&] { return is_stopped(process); }));
  const auto from = std::chrono::steady_clock::now();
  ::timerfd_settime(timer, 0, &once, nullptr);
  pollfd end{timer, POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, -1), 1);
  const auto to = std::chrono::steady_clock::now();
  process.signal(SIGCONT);
  ::close(timer);
  return std::chrono::duration_cast<std::chrono::microseconds>(to - from);
}

// Everything but a generator that a busy machine made late: that it must say, and may not hide.
void expect_passed_or_late(const Json& report) {
  for (const Json& reason : report["invalid_reasons"]) {
    EXPECT_EQ(reason.get<std::string>().substr(0, 12), "schedule lag") << reason;
  }
  EXPECT_EQ(report["exit"], report["valid"] == true ? 0 : 98);
  for (const Json& threshold : report["thresholds"]) EXPECT_EQ(threshold["ok"], true) << threshold;
}

bool says(const Process& process, const std::string& text) {
  return process.errors().find(text) != std::string::npos;
}

TEST(LoadgenProgram, MixedLoadOnARealServerPasses) {
  Server server({.arguments = {"--shards", "2", "--set", "heartbeat.interval_ms=500"}});
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  const Finished done = run({.argv = run_of(server, "mixed",
                                            {"--connections", "200", "--rate", "300", "--duration",
                                             "2", "--threads", "2", "--out", folder.path()})});
  ASSERT_TRUE(done.status == 0 || done.status == 98) << done.output << done.errors;
  const Json report = report_in(folder.path());
  expect_passed_or_late(report);
  EXPECT_EQ(done.output.starts_with("VALID\n"), report["valid"] == true);
  EXPECT_EQ(report["messages"]["planned"], 600);
  EXPECT_EQ(report["messages"]["issued"], 600);
  // Two of three are direct, to one receiver each; the third goes to a room of 20.
  EXPECT_EQ(report["messages"]["acknowledged"], 400);
  EXPECT_EQ(report["messages"]["expected"], 400 + 200 * 20);
  EXPECT_EQ(report["messages"]["delivered"], report["messages"]["expected"]);
  EXPECT_GT(report["heartbeats"]["answered"], 0);
  EXPECT_EQ(report["latency"]["e2e"]["basis"], "intended");
  EXPECT_EQ(report["server"]["shards"], 2);
  EXPECT_EQ(report["processes"][1]["pid"], server.process().pid());
  EXPECT_GT(report["cost"]["server_cpu_ns_per_delivery"], 0.0);
  EXPECT_NE(read_file(folder.path() + "/scenario.toml"), "");
}

// Every echo intended in those 200 ms waits for the rest of them: at 2,000 a second for three
// seconds the six that are above p99.9 were intended in the first 3 ms of it. A generator that
// waited with its sends for the server would have hidden it.
TEST(LoadgenProgram, AServerStoppedFor200MsShowsInP999FromTheIntendedTime) {
  TemporaryFolder folder;
  Server server(with_stats(folder));
  ASSERT_EQ(server.error(), "");
  Process load({.argv = run_of(server, "echo",
                               {"--connections", "10", "--rate", "2000", "--duration", "3", "--out",
                                folder.path()})});
  ASSERT_TRUE(wait_for_echoes(server, folder, 500)) << load.errors();
  const auto stopped_us = stop_for(server.process(), 200).count();
  const int status = load.wait();
  const Json report = report_in(folder.path());
  const Json& echo = report["latency"]["echo"];
  EXPECT_EQ(echo["basis"], "intended");
  EXPECT_EQ(echo["count"], 6'000);
  EXPECT_GE(echo["p999"], stopped_us - 5'000) << echo;
  EXPECT_GE(echo["max"], stopped_us - 1'000) << echo;
  EXPECT_EQ(report["messages"]["lost"], 0);
  EXPECT_TRUE(status == 0 || status == 98) << status;
  expect_passed_or_late(report);
}

// Whatever is still planned is not waited for: settling ends with what is under way.
TEST(LoadgenProgram, AnInterruptTellsWhatWasMeasuredAndEndsTheRest) {
  for (const char* rate : {"0", "500"}) {
    SCOPED_TRACE(rate);
    TemporaryFolder folder;
    Server server(with_stats(folder));
    ASSERT_EQ(server.error(), "");
    Process load({.argv = run_of(server, "echo",
                                 {"--connections", "10", "--duration", "600", "--rate", rate,
                                  "--set", "settle.timeout=600", "--out", folder.path()})});
    ASSERT_TRUE(wait_for_echoes(server, folder, 200)) << load.errors();
    load.signal(SIGINT);
    ASSERT_EQ(load.wait(), 105) << load.output() << load.errors();
    const Json report = report_in(folder.path());
    EXPECT_EQ(report["exit"], 105);
    EXPECT_EQ(report["interrupted"], true);
    EXPECT_EQ(report["connections"]["reached"], 10);
    EXPECT_GE(report["messages"]["delivered"], 200);
    EXPECT_EQ(report["messages"]["delivered"], report["messages"]["issued"]);
    if (rate[0] != '0') {
      EXPECT_EQ(report["messages"]["planned"], report["messages"]["issued"]);
    }
    // A busy machine may have made the schedule late.
    EXPECT_EQ(load.output().starts_with("VALID so far: interrupted\n"), report["valid"] == true);
  }
}

TEST(LoadgenProgram, AnInterruptBeforeTheRunHasMeasuredNothing) {
  Server server({.arguments = {"--shards", "1", "--max-connections", "4"}});
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  Process load({.argv = run_of(server, "idle", {"--connections", "10", "--out", folder.path()})});
  ASSERT_TRUE(wait_until([&] { return says(load, "ramp "); }, &load));
  load.signal(SIGINT);
  ASSERT_EQ(load.wait(), 105) << load.output() << load.errors();
  EXPECT_EQ(load.output().substr(0, load.output().find('\n')),
            "INVALID: interrupted before anything was measured");
  const Json report = report_in(folder.path());
  EXPECT_EQ(report["exit"], 105);
  EXPECT_EQ(report["valid"], false);
  EXPECT_TRUE(report["measured_s"].is_null());
  EXPECT_TRUE(report["messages"]["lost"].is_null());
}

TEST(LoadgenProgram, AnInterruptIsHeardWhileTheServerDoesNotAnswer) {
  Server server;
  ASSERT_EQ(server.error(), "");
  server.process().signal(SIGSTOP);
  Process load({.argv = run_of(server, "idle", {})});
  // The kernel takes the connection; nobody answers on it.
  ASSERT_TRUE(wait_until([&] { return says(load, "addresses: "); }, &load));
  load.signal(SIGINT);
  EXPECT_EQ(load.wait(), 105) << load.errors();
  EXPECT_TRUE(says(load, "loadgen: interrupted before " + server.target() + " had answered\n"))
      << load.errors();
  EXPECT_EQ(load.output(), "");
  server.process().signal(SIGCONT);
}

TEST(LoadgenProgram, ASecondInterruptEndsAtOnce) {
  TemporaryFolder folder;
  Server server(with_stats(folder));
  ASSERT_EQ(server.error(), "");
  Process load({.argv = run_of(server, "echo",
                               {"--connections", "10", "--duration", "600", "--set",
                                "settle.timeout=600", "--out", folder.path()})});
  ASSERT_TRUE(wait_for_echoes(server, folder, 200)) << load.errors();
  // Nothing that is under way arrives.
  server.process().signal(SIGSTOP);
  load.signal(SIGINT);
  ASSERT_TRUE(wait_until([&] { return says(load, "interrupted: "); }, &load));
  load.signal(SIGINT);
  EXPECT_EQ(load.wait(), 128 + SIGINT);
  EXPECT_EQ(read_file(folder.path() + "/run.json"), "");
  server.process().signal(SIGCONT);
}

// ---- a server that goes away

// What of a server's statistics tells that a load is under way.
struct Outage {
  const char* scenario;
  const char* progress;
};
constexpr Outage kOutages[] = {{"echo", "/echoes"},
                               {"room", "/rooms/published"},
                               {"idle", "/heartbeat/received"},
                               {"direct", "/outgoing/pushes"}};

// A server and a load on it that began, all folders its own.
struct LoadedServer {
  LoadedServer(const Outage& outage, const std::vector<std::string>& more,
               const std::string& heartbeat_ms = "2000")
      : server({.arguments = {"--stats-file", folder.path() + "/stats.json", "--set",
                              "heartbeat.interval_ms=" + heartbeat_ms}}) {
    if (!server.error().empty()) return;
    std::vector<std::string> all{"--connections", "20", "--out", folder.path()};
    all.insert(all.end(), more.begin(), more.end());
    load.emplace(ProcessOptions{.argv = run_of(server, outage.scenario, all)});
    const Json::json_pointer progress(outage.progress);
    begun = wait_until([&] { return says(*load, "run "); }, &*load) &&
            wait_for_stats(server, folder, [&](const Json& stats) {
              return stats.contains(progress) && stats[progress].get<uint64_t>() > 0;
            });
  }

  TemporaryFolder folder;
  Server server;
  std::optional<Process> load;
  bool begun = false;
};

bool has_reason(const Json& report, const std::string& part) {
  return std::ranges::any_of(report["invalid_reasons"], [&](const Json& reason) {
    return reason.get<std::string>().find(part) != std::string::npos;
  });
}

TEST(LoadgenProgram, AServerThatStaysDeadMakesTheRunInvalid) {
  std::vector<std::unique_ptr<LoadedServer>> all;
  for (const Outage& outage : kOutages) {
    all.push_back(std::make_unique<LoadedServer>(
        outage, std::vector<std::string>{"--duration", "5", "--set", "settle.timeout=1"}));
    ASSERT_TRUE(all.back()->begun) << all.back()->server.error();
    all.back()->server.process().signal(SIGKILL);
  }
  for (size_t i = 0; i < all.size(); i++) {
    SCOPED_TRACE(kOutages[i].scenario);
    EXPECT_EQ(all[i]->load->wait(), 98) << all[i]->load->errors();
    EXPECT_TRUE(all[i]->load->output().starts_with("INVALID: ")) << all[i]->load->output();
    const Json report = report_in(all[i]->folder.path());
    EXPECT_EQ(report["connections"]["reached"], 20);
    EXPECT_TRUE(has_reason(report, "20 of 20 clients were not back")) << report["invalid_reasons"];
    EXPECT_TRUE(has_reason(report, "the server did not answer")) << report["invalid_reasons"];
    EXPECT_EQ(report["messages"]["lost"],
              kOutages[i].scenario == std::string("idle") ? Json() : Json(0));
    const bool durable = kOutages[i].scenario == std::string("direct");
    EXPECT_EQ(has_reason(report, "sends were neither acknowledged nor refused"), durable);
  }
}

// A process that is there and does nothing: its connections stand for long.
TEST(LoadgenProgram, AServerThatDoesNotAnswerAtTheEndMakesTheRunInvalid) {
  LoadedServer one(kOutages[0], {"--duration", "600", "--set", "settle.timeout=1"});
  ASSERT_TRUE(one.begun) << one.server.error();
  one.server.process().signal(SIGSTOP);
  ASSERT_TRUE(wait_until([&] { return is_stopped(one.server.process()); }));
  one.load->signal(SIGINT);
  EXPECT_EQ(one.load->wait(), 105) << one.load->output() << one.load->errors();
  EXPECT_TRUE(has_reason(report_in(one.folder.path()), "the server did not answer at the end"));
  one.server.process().signal(SIGCONT);
}

TEST(LoadgenProgram, AnOutageThatHasHealedIsAFigure) {
  std::vector<std::unique_ptr<LoadedServer>> all;
  for (const Outage& outage : kOutages) {
    all.push_back(std::make_unique<LoadedServer>(
        outage, std::vector<std::string>{"--duration", "5", "--set", "settle.timeout=20"}));
    ASSERT_TRUE(all.back()->begun) << all.back()->server.error();
    all.back()->server.process().signal(SIGKILL);
    all.back()->server.start_again();
    ASSERT_EQ(all.back()->server.error(), "");
  }
  for (size_t i = 0; i < all.size(); i++) {
    SCOPED_TRACE(kOutages[i].scenario);
    EXPECT_EQ(all[i]->load->wait(), 0) << all[i]->load->output() << all[i]->load->errors();
    const Json report = report_in(all[i]->folder.path());
    EXPECT_EQ(report["valid"], true) << report["invalid_reasons"];
    EXPECT_EQ(report["connections"]["lost"], 20);
    EXPECT_EQ(report["connections"]["reconnects"], 20);
    EXPECT_TRUE(report["server"]["stats"]["delta"].is_null()) << "of two processes";
  }
}

// It is cut for its silence; the server did nothing wrong.
TEST(LoadgenProgram, ItsOwnMissedHeartbeatsMakeTheRunInvalid) {
  LoadedServer one(kOutages[2], {"--duration", "600"}, "200");
  ASSERT_TRUE(one.begun) << one.server.error();
  one.load->signal(SIGSTOP);
  ASSERT_TRUE(wait_for_stats(one.server, one.folder,
                             [](const Json& stats) { return stats["sessions"]["open"] == 0; }));
  one.load->signal(SIGCONT);
  one.load->signal(SIGINT);
  EXPECT_EQ(one.load->wait(), 105) << one.load->errors();
  const Json report = report_in(one.folder.path());
  EXPECT_TRUE(has_reason(report, "heartbeats of its own were late")) << report["invalid_reasons"];
}

// ---- what it cannot know, cannot read and cannot write

TEST(LoadgenProgram, TheMemoryOfAServerThatHadItBeforeIsUnknown) {
  Server server;
  ASSERT_EQ(server.error(), "");
  for (const bool first : {true, false}) {
    TemporaryFolder folder;
    const Finished done = run(
        {.argv = run_of(server, "idle",
                        {"--connections", "1000", "--duration", "100ms", "--out", folder.path()})});
    ASSERT_EQ(done.status, 0) << done.output << done.errors;
    const Json cost = report_in(folder.path())["cost"];
    EXPECT_EQ(cost["server_user_bytes_per_connection"].is_number(), first) << cost;
    if (first) continue;
    EXPECT_EQ(cost["server_user_bytes_unknown"], "the server had had 1,001 connections before");
    EXPECT_NE(done.output.find("server unknown (the server had had"), std::string::npos);
  }
}

TEST(LoadgenProgram, WhereItMayNotWriteItSaysSoBeforeTheRun) {
  Server server;
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  write_file(folder.path() + "/file", "as it was");
  const std::vector<std::vector<std::string>> cases = {{"--json", folder.path() + "/none/x"},
                                                       {"--json", folder.path()},
                                                       {"--out", folder.path() + "/file"},
                                                       {"--out", folder.path() + "/none/x"}};
  for (const auto& more : cases) {
    const Finished done = run({.argv = run_of(server, "echo", more)});
    EXPECT_EQ(done.status, 2) << more[1];
    EXPECT_NE(done.errors.find(more[1]), std::string::npos) << done.errors;
    EXPECT_EQ(done.errors.find("ramp"), std::string::npos) << done.errors;
  }
  EXPECT_EQ(read_file(folder.path() + "/file"), "as it was");
}

TEST(LoadgenProgram, AReportThatCannotBeKeptIsShown) {
  Server server;
  ASSERT_EQ(server.error(), "");
  const Finished done =
      run({.argv = run_of(server, "echo", {"--duration", "100ms", "--json", "/dev/full"})});
  EXPECT_EQ(done.status, 2);
  EXPECT_NE(done.output.find("64 of 64 logged in"), std::string::npos) << done.output;
  EXPECT_NE(done.errors.find("cannot write /dev/full"), std::string::npos) << done.errors;
}

TEST(LoadgenProgram, WithoutAServerItSaysSo) {
  TemporaryFolder folder;
  write_file(folder.path() + "/key", std::string(32, 'k'));
  const Finished done = run({.argv = {program("loadgen"), "run", "echo", "--target",
                                      "127.0.0.1:" + std::to_string(free_port()), "--token-key",
                                      folder.path() + "/key"}});
  EXPECT_EQ(done.status, 3);
  EXPECT_NE(done.errors.find("refused"), std::string::npos) << done.errors;
}

TEST(LoadgenProgram, AnotherKeyIsRefusedWithTheRemedy) {
  Server server;
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  write_file(folder.path() + "/key", std::string(32, 'k'));
  const Finished done = run({.argv = {program("loadgen"), "run", "echo", "--target",
                                      server.target(), "--token-key", folder.path() + "/key"}});
  EXPECT_EQ(done.status, 2);
  EXPECT_NE(done.errors.find("--token-key"), std::string::npos) << done.errors;
}

}  // namespace
}  // namespace ringtalk::tests
