#include "loadgen/report.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

#include "loadgen/environment.h"
#include "loadgen/hdr_encoding.h"
#include "loadgen/process_usage.h"

namespace ringtalk::loadgen {
namespace {

std::vector<uint8_t> from_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<uint8_t> bytes;
  uint32_t group = 0;
  int bits = 0;
  for (const char c : text) {
    if (c == '=') break;
    group = (group << 6) | static_cast<uint32_t>(digits.find(c));
    bits += 6;
    if (bits >= 8) bytes.push_back(static_cast<uint8_t>(group >> (bits -= 8)));
  }
  return bytes;
}

// The payload of HdrHistogram's V2 format as (buckets passed over, count) after its 40 byte header.
std::vector<uint8_t> unpack(const std::string& text) {
  const std::vector<uint8_t> packed = from_base64(text);
  EXPECT_EQ((std::vector<uint8_t>(packed.begin(), packed.begin() + 4)),
            (std::vector<uint8_t>{0x1c, 0x84, 0x93, 0x14}));
  std::vector<uint8_t> plain(1 << 20);
  uLongf size = plain.size();
  EXPECT_EQ(::uncompress(plain.data(), &size, packed.data() + 8, packed.size() - 8), Z_OK);
  plain.resize(size);
  return plain;
}

TEST(HdrEncoding, WritesTheHeaderAndCountsOfVersionTwo) {
  base::Histogram histogram;
  histogram.record(3);
  histogram.record(3);
  histogram.record(4'100);  // bucket 2 * 1024 + 4100 / 4 = 3073
  const std::vector<uint8_t> plain = unpack(hdr_encode(histogram));
  const std::vector<uint8_t> expected = {
      0x1c,
      0x84,
      0x93,
      0x13,
      0,
      0,
      0,
      5,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      3,  // cookie, payload bytes, 0, digits
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      0,
      0xd6,
      0x93,
      0xa4,
      0,  // 1, 3.6e9
      0x3f,
      0xf0,
      0,
      0,
      0,
      0,
      0,
      0,  // 1.0
      5,  // -3: three empty
      4,  // 2
      // 3073 - 4 = 3069 empty: ZigZag 6137 = 0x17f9
      0xf9,
      0x2f,
      2,
  };
  EXPECT_EQ(plain, expected);
}

RunReport sample() {
  RunReport report;
  report.scenario.name = "echo";
  report.argv = {"loadgen", "run", "echo"};
  report.connections.requested = report.connections.reached = 10;
  report.messages.issued = 5;
  report.messages.delivered = 4;
  report.thresholds = {{"messages.lost == 0", 0, true}};
  LatencyReport latency{"echo", "send", {}, std::nullopt};
  for (uint64_t us = 1; us <= 100; us++) latency.values.record(us);
  report.latency.push_back(std::move(latency));
  return report;
}

TEST(Report, WhatIsNotKnownIsNull) {
  const auto json = nlohmann::json::parse(to_json(sample()));
  EXPECT_EQ(json["schema"], "loadgen.run/1");
  EXPECT_EQ(json["exit"], 0);
  EXPECT_EQ(json["messages"]["issued"], 5);
  EXPECT_TRUE(json["messages"]["planned"].is_null());
  EXPECT_TRUE(json["messages"]["acknowledged"].is_null());
  EXPECT_TRUE(json["cost"]["server_cpu_ns_per_delivery"].is_null());
  EXPECT_TRUE(json["latency"]["e2e"].is_null());
  EXPECT_TRUE(json["server"].is_null());
  EXPECT_EQ(json["latency"]["echo"]["p50"], 50);
  EXPECT_EQ(json["latency"]["echo"]["max"], 100);
  EXPECT_EQ(json["latency"]["echo"]["basis"], "send");
  EXPECT_FALSE(json["latency"]["echo"]["hdr"].get<std::string>().empty());
}

TEST(Report, TheServersStatisticsAreSubtracted) {
  RunReport report = sample();
  report.server_before = R"({"backend":"epoll","shards":2,"a":{"sends":5,"name":"x"},"gone":1})";
  report.server_after = R"({"backend":"epoll","shards":2,"a":{"sends":9,"name":"x"},"new":1})";
  const auto json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["server"]["backend"], "epoll");
  EXPECT_EQ(json["server"]["shards"], 2);
  EXPECT_EQ(json["server"]["stats"]["delta"]["a"], (nlohmann::json{{"sends", 4}}));
  EXPECT_FALSE(json["server"]["stats"]["delta"].contains("new"));
  report.server_after = "not json";
  EXPECT_TRUE(nlohmann::json::parse(to_json(report))["server"]["stats"]["delta"].is_null());
}

TEST(Report, TheVerdictIsTheFirstLine) {
  RunReport report = sample();
  EXPECT_EQ(verdict(report), Exit::pass);
  EXPECT_EQ(to_text(report, "").substr(0, 6), "VALID\n");
  report.thresholds.push_back({"messages.duplicated == 0", 3, false});
  EXPECT_EQ(verdict(report), Exit::failed);
  EXPECT_NE(to_text(report, "").find("failed: messages.duplicated == 0 (it is 3)"),
            std::string::npos);
  report.invalid_reasons = {"schedule lag p99 25 ms > 10 ms"};
  EXPECT_EQ(verdict(report), Exit::invalid);
  EXPECT_EQ(to_text(report, "").substr(0, 41), "INVALID: schedule lag p99 25 ms > 10 ms\nf");
  report.interrupted = true;
  EXPECT_EQ(verdict(report), Exit::interrupted);
}

// Figures that say nothing about the server pass nothing.
TEST(Report, OnlyAValidRunPasses) {
  RunReport report = sample();
  report.messages.rejected = 50;
  EXPECT_TRUE(to_text(report, "")
                  .starts_with("VALID\npassed: nothing lost, duplicated or reordered; "
                               "50 refused by the server\n"))
      << to_text(report, "");
  EXPECT_EQ(nlohmann::json::parse(to_json(report))["messages"]["rejected"], 50);
  report.invalid_reasons = {"2 of 10 clients were not back at the end"};
  EXPECT_EQ(to_text(report, "").find("passed"), std::string::npos) << to_text(report, "");
}

// Left out and announced is no loss, but neither is it passed over in silence.
TEST(Report, WhatWasSkippedIsToldBesideTheVerdict) {
  RunReport report = sample();
  report.messages.expected = 100'000;
  report.messages.delivered = 99'999;
  report.messages.skipped = 1;
  report.messages.lost = 0;
  report.messages.probes = 2;
  report.messages.delivered_fraction = 0.99999;
  EXPECT_EQ(verdict(report), Exit::pass);
  const std::string text = to_text(report, "");
  EXPECT_TRUE(
      text.starts_with("VALID\npassed: nothing lost, duplicated or reordered; 1 skipped by "
                       "the server, and announced\n"))
      << text;
  EXPECT_NE(text.find("99,999 of 100,000 expected delivered (99.99 %)"), std::string::npos) << text;
  EXPECT_NE(text.find("2 sent to be told of them"), std::string::npos) << text;
  const auto json = nlohmann::json::parse(to_json(report));
  EXPECT_EQ(json["messages"]["skipped"], 1);
  EXPECT_EQ(json["messages"]["probes"], 2);
  EXPECT_EQ(json["messages"]["delivered_fraction"], 0.99999);
  EXPECT_TRUE(nlohmann::json::parse(to_json(sample()))["messages"]["skipped"].is_null());
}

TEST(Report, NumbersAreGrouped) {
  EXPECT_EQ(grouped(7), "7");
  EXPECT_EQ(grouped(1'234), "1,234");
  EXPECT_EQ(grouped(12'345'678), "12,345,678");
}

TEST(ProcessUsage, ReadsThisProcessAndNoOther) {
  const auto usage = usage_of(::getpid());
  ASSERT_TRUE(usage.has_value());
  EXPECT_GT(usage->cpu_ns, 0u);
  EXPECT_GT(usage->rss_bytes, 1'000'000u);
  EXPECT_GE(usage->rss_peak_bytes, usage->rss_bytes);
  EXPECT_GE(usage->threads, 1u);
  EXPECT_FALSE(usage_of(0).has_value());
  EXPECT_FALSE(usage_of(-1).has_value());
}

TEST(Environment, NamesTheKernelAndTheCompiler) {
  std::map<std::string, std::string> env;
  for (auto& [name, value] : read_environment()) env[name] = value;
  for (const char* name : {"commit", "compiler", "flags", "kernel", "cores"}) {
    EXPECT_FALSE(env[name].empty()) << name;
  }
}

}  // namespace
}  // namespace ringtalk::loadgen
