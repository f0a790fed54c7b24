// Whole runs against a server that errs exactly as often as it says.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loadgen/conductor.h"
#include "tests/loadgen/faulty_server.h"
#include "tests/support/process.h"

namespace ringtalk::loadgen {
namespace {

using tests::FaultyOptions;
using tests::FaultyServer;

class Honesty : public testing::Test {
 protected:
  Honesty() { tests::write_file(folder_.path() + "/key", std::string(32, 'k'), 0600); }

  RunReport run(FaultyServer& server, const char* preset_name,
                const std::vector<std::pair<const char*, const char*>>& keys,
                std::FILE* out = nullptr) {
    Options options;
    options.scenario = *parse_scenario(preset_name, *preset(preset_name), "preset");
    for (const auto& [key, value] : keys) EXPECT_TRUE(set_key(options.scenario, key, value).ok());
    EXPECT_TRUE(check(options.scenario).ok());
    options.targets = {server.address()};
    options.token_key = folder_.path() + "/key";
    options.threads = threads_;
    const base::SystemClock clock;
    Conductor conductor(options, clock, out);
    auto report = conductor.run();
    server.stop();
    EXPECT_TRUE(report.ok()) << report.error().text;
    return std::move(report).value();
  }

  tests::TemporaryFolder folder_;
  uint32_t threads_ = 1;
};

TEST_F(Honesty, AGoodServerPasses) {
  FaultyServer server({});
  const RunReport report = run(server, "echo", {{"duration", "300ms"}, {"echo.window", "4"}});
  EXPECT_EQ(verdict(report), Exit::pass) << to_text(report, "");
  EXPECT_GT(*report.messages.issued, 0u);
  EXPECT_EQ(report.messages.delivered, report.messages.issued);
  EXPECT_EQ(report.messages.expected, report.messages.issued);
  EXPECT_EQ(*report.messages.delivered, server.messages);
  EXPECT_FALSE(report.messages.planned.has_value()) << "a closed loop plans nothing";
  EXPECT_FALSE(report.messages.acknowledged.has_value()) << "an echo is not acknowledged";
  EXPECT_EQ(report.connections.reached, 64u);
  const auto json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["server"]["stats"]["delta"]["messages"], server.messages);
}

TEST_F(Honesty, EachDropRepeatAndSwapOfAnEchoIsFoundAndNothingElse) {
  FaultyServer server({.every = 10'000});
  const RunReport report = run(server, "echo",
                               {{"connections", "8"},
                                {"duration", "2s"},
                                {"echo.window", "32"},
                                {"settle.timeout", "500ms"}});
  EXPECT_EQ(verdict(report), Exit::failed) << to_text(report, "");
  ASSERT_GT(server.dropped, 0u) << "too few messages: " << server.messages;
  EXPECT_EQ(*report.messages.lost, server.dropped);
  EXPECT_EQ(*report.messages.duplicated, server.repeated);
  EXPECT_EQ(*report.messages.reordered, server.swapped);
  EXPECT_EQ(*report.messages.issued, server.messages);
  EXPECT_EQ(*report.messages.delivered + *report.messages.lost, *report.messages.expected);
  EXPECT_TRUE(report.invalid_reasons.empty());
}

// A client is shown no room message twice: repeats are seen on the wire only.
TEST_F(Honesty, EachDropRepeatAndSwapInARoomIsFoundOnEveryRing) {
  for (const uint32_t threads : {1u, 3u}) {
    SCOPED_TRACE(threads);
    threads_ = threads;
    FaultyServer server({.every = 10'000});
    const RunReport report = run(server, "room",
                                 {{"connections", "20"},
                                  {"duration", "2s"},
                                  {"room.window", "64"},
                                  {"room.publishers", "3"},
                                  {"settle.timeout", "500ms"}});
    EXPECT_EQ(verdict(report), Exit::failed) << to_text(report, "");
    ASSERT_GT(server.dropped, 0u) << "too few messages: " << server.messages;
    EXPECT_EQ(*report.messages.lost, server.dropped);
    EXPECT_EQ(*report.messages.wire_duplicates, server.repeated);
    EXPECT_EQ(*report.messages.duplicated, 0u);
    EXPECT_EQ(*report.messages.reordered, server.swapped);
    EXPECT_EQ(*report.messages.wire_reordered, server.swapped);
    EXPECT_EQ(*report.messages.expected, server.messages);
    EXPECT_EQ(*report.messages.expected, *report.messages.issued * 20);
  }
}

TEST_F(Honesty, APublishThatReachesNobodyIsLostToEveryMember) {
  FaultyServer server({.forget_publishes = 100});
  const RunReport report = run(server, "room",
                               {{"connections", "10"},
                                {"rate", "1000"},
                                {"duration", "500ms"},
                                {"settle.timeout", "500ms"}});
  ASSERT_EQ(*report.messages.issued, 500u + *report.messages.probes);
  EXPECT_EQ(*report.messages.lost, 5u * 10);
  // Not the verdict: a busy machine may make the schedule late, and that comes first.
  EXPECT_EQ(report.thresholds.at(0).expression, "messages.lost == 0");
  EXPECT_FALSE(report.thresholds.at(0).ok);
}

// The server tells of what it leaves out only before the next message: where the last ones are left
// out, the harness sends more until it knows.
TEST_F(Honesty, WhatAServerSaysItLeftOutIsSkippedAndNotLost) {
  for (const char* rate : {"1000", "0"}) {
    SCOPED_TRACE(rate);
    FaultyServer server({.skip_every = 2});
    const RunReport report = run(
        server, "room",
        {{"connections", "10"}, {"rate", rate}, {"duration", "500ms"}, {"settle.timeout", "20s"}});
    const auto& m = report.messages;
    ASSERT_GT(server.skipped, 0u);
    EXPECT_EQ(*m.skipped, server.skipped);
    EXPECT_EQ(*m.lost, 0u);
    EXPECT_EQ(*m.expected, *m.issued * 10);
    EXPECT_EQ(*m.delivered + *m.skipped, *m.expected);
    EXPECT_DOUBLE_EQ(*m.delivered_fraction,
                     static_cast<double>(*m.delivered) / static_cast<double>(*m.expected));
    EXPECT_TRUE(std::ranges::all_of(report.thresholds, &Threshold::ok));
    EXPECT_EQ(*m.issued, m.planned.value_or(*m.issued - *m.probes) + *m.probes);
    const auto e2e = std::ranges::find(report.latency, "e2e", &LatencyReport::name);
    EXPECT_LE(e2e->values.count(), *m.delivered - *m.probes * 9) << "probes are not measured";
  }
}

TEST_F(Honesty, WhatAServerLeavesOutInSilenceIsLost) {
  FaultyServer server({.skip_every = 2, .skip_told = false});
  const RunReport report = run(
      server, "room",
      {{"connections", "10"}, {"rate", "1000"}, {"duration", "500ms"}, {"settle.timeout", "20s"}});
  EXPECT_EQ(*report.messages.lost, server.skipped);
  EXPECT_EQ(*report.messages.skipped, 0u);
  EXPECT_FALSE(report.thresholds.at(0).ok);
}

TEST_F(Honesty, AnOpenLoopIssuesWhatItPlannedWithAndWithoutATerminal) {
  std::FILE* file = std::tmpfile();
  uint64_t planned = 0;
  for (std::FILE* out : {static_cast<std::FILE*>(nullptr), file}) {
    FaultyServer server({});
    const RunReport report =
        run(server, "echo", {{"rate", "1000"}, {"duration", "500ms"}, {"arrival.kind", "poisson"}},
            out);
    EXPECT_EQ(*report.messages.issued, *report.messages.planned);
    EXPECT_EQ(*report.messages.delivered, *report.messages.planned);
    // Of 500 arrivals of a Poisson process; the seed decides how many, not the display.
    if (planned == 0) planned = *report.messages.planned;
    EXPECT_EQ(*report.messages.planned, planned);
    EXPECT_NEAR(static_cast<double>(planned), 500, 100);
    EXPECT_EQ(report.latency.back().name, "schedule_lag");
  }
  EXPECT_GT(std::ftell(file), 0);
  std::fclose(file);
}

TEST_F(Honesty, AGeneratorThatCannotKeepUpSaysInvalid) {
  FaultyServer server({});
  const RunReport report = run(
      server, "echo", {{"rate", "3000000"}, {"duration", "300ms"}, {"settle.timeout", "100ms"}});
  EXPECT_EQ(verdict(report), Exit::invalid) << to_text(report, "");
  EXPECT_EQ(to_text(report, "").substr(0, 9), "INVALID: ");
}

TEST_F(Honesty, ClientsThatDoNotComeInMakeTheRunInvalid) {
  FaultyServer server({});
  // The test's server has 256 slots; the harness keeps one of them for itself.
  const RunReport report = run(
      server, "idle", {{"connections", "300"}, {"duration", "100ms"}, {"ramp.timeout", "500ms"}});
  EXPECT_EQ(verdict(report), Exit::invalid);
  EXPECT_EQ(report.connections.reached, 255u);
  EXPECT_EQ(report.invalid_reasons.at(0), "reached 255 of 300 connections");
  EXPECT_FALSE(report.connections.ramp_s.has_value());
}

// They come back when they were told to; that is neither a fault of theirs nor a broken connection.
TEST_F(Honesty, ClientsThatAreToldToComeLaterAreCountedAsThat) {
  FaultyServer server({.busy_logins = 20});
  const RunReport report = run(server, "idle", {{"connections", "50"}, {"duration", "100ms"}});
  EXPECT_EQ(report.connections.reached, 50u);
  EXPECT_EQ(report.connections.failed, (std::map<std::string, uint64_t>{{"server busy", 20}}));
  EXPECT_TRUE(report.invalid_reasons.empty());
  EXPECT_NE(to_text(report, "").find("50 of 50 logged in"), std::string::npos);
}

TEST_F(Honesty, HeartbeatsAreSentAndCounted) {
  FaultyServer server({.heartbeat_ms = 100});
  const RunReport report = run(server, "idle", {{"connections", "50"}, {"duration", "1s"}});
  EXPECT_GE(report.heartbeats.sent, 50u);
  EXPECT_LE(report.heartbeats.answered, report.heartbeats.sent);
  EXPECT_GE(server.heartbeats, report.heartbeats.answered);
  EXPECT_FALSE(report.messages.issued.has_value());
}

}  // namespace
}  // namespace ringtalk::loadgen
