// File < environment < flags, and errors that say where, what and what to do.
#include <gtest/gtest.h>

#include "service/config_load.h"
#include "service/config_text.h"
#include "service/launch.h"

namespace ringtalk::service {
namespace {

CommandLine line_of(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ringtalkd");
  const auto line =
      parse_command_line(static_cast<int>(arguments.size()), arguments.data(), "1.2.3");
  EXPECT_TRUE(line.ok()) << line.error().line;
  return *line;
}

std::string line_error(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "ringtalkd");
  const auto line =
      parse_command_line(static_cast<int>(arguments.size()), arguments.data(), "1.2.3");
  return line.ok() ? "" : line.error().line;
}

std::string load_error(const CommandLine& line, std::vector<const char*> environment) {
  environment.push_back(nullptr);
  const auto loaded = load_config(line, const_cast<char**>(environment.data()));
  return loaded.ok() ? "" : loaded.error().line;
}

LoadedConfig load(const CommandLine& line, std::vector<const char*> environment = {}) {
  environment.push_back(nullptr);
  const auto loaded = load_config(line, const_cast<char**>(environment.data()));
  EXPECT_TRUE(loaded.ok()) << loaded.error().line;
  return *loaded;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(ConfigText, DurationsSizesAndTheirWayBack) {
  EXPECT_EQ(parse_duration_ms("250ms"), 250u);
  EXPECT_EQ(parse_duration_ms("15s"), 15'000u);
  EXPECT_EQ(parse_duration_ms("30d"), 30u * 86'400'000);
  EXPECT_EQ(parse_duration_ms("0"), 0u);
  for (const char* bad : {"", "15", "s", "1.5s", "-1s", "10 s", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration_ms(bad).has_value()) << bad;
  }
  EXPECT_EQ(parse_bytes("64KiB"), 65'536u);
  EXPECT_EQ(parse_bytes("12B"), 12u);
  EXPECT_FALSE(parse_bytes("64KB").has_value());
  EXPECT_FALSE(parse_bytes("99999999999999999GiB").has_value());
  for (const uint64_t value : {1ul, 250ul, 1'000ul, 61'000ul, 86'400'000ul}) {
    EXPECT_EQ(parse_duration_ms(format_duration_ms(value)), value);
    EXPECT_EQ(parse_bytes(format_bytes(value)), value);
  }
}

TEST(Config, EachLayerCoversTheOneBefore) {
  LoadedConfig loaded;
  const auto layer = parse_config_text(
      "[server]\nshards = 2\nbackend = \"epoll\"\n"
      "[limits]\nlogin_timeout = \"3s\"\nunacknowledged_bytes = \"32KiB\"\n",
      "test.toml");
  ASSERT_TRUE(layer.ok());
  ASSERT_TRUE(assign(loaded, *layer).ok());
  EXPECT_EQ(loaded.config.shards, 2u);
  EXPECT_EQ(loaded.config.limits.login_timeout_ms, 3'000u);
  EXPECT_EQ(loaded.config.limits.unacknowledged_bytes, 32'768u);
  EXPECT_EQ(loaded.origins["limits.login_timeout"], "test.toml:5");

  const LoadedConfig over =
      load(line_of({"--shards", "7", "--set", "limits.login_timeout=4s", "-p", "0"}),
           {"RINGTALK_SERVER_SHARDS=5", "RINGTALK_SERVER_BACKEND=io_uring", "PATH=/bin",
            "RINGTALK_OTHER=ours is only what has one of our sections"});
  EXPECT_EQ(over.config.shards, 7u);
  EXPECT_EQ(over.config.backend, "io_uring");
  EXPECT_EQ(over.config.limits.login_timeout_ms, 4'000u);
  EXPECT_EQ(over.config.port, "0");
  EXPECT_EQ(over.origins.at("server.shards"), "flag --shards");
  EXPECT_EQ(over.origins.at("server.backend"), "environment RINGTALK_SERVER_BACKEND");
  EXPECT_FALSE(over.origins.contains("store.url"));
}

TEST(Config, ListsAndSwitches) {
  const LoadedConfig loaded =
      load(line_of({"--listen", "127.0.0.1:1", "--listen", "[::1]:2", "--share-port"}),
           {"RINGTALK_LIMITS_TRUSTED_ADDRESSES=192.0.2.1,loopback"});
  EXPECT_EQ(loaded.config.listen, (std::vector<std::string>{"127.0.0.1:1", "[::1]:2"}));
  EXPECT_TRUE(loaded.config.share_port);
  EXPECT_EQ(loaded.config.limits.trusted_addresses.size(), 2u);
}

TEST(Config, ErrorsSayWhereWhatAndWhatToDo) {
  LoadedConfig loaded;
  const auto layer = parse_config_text("\n[limits]\nlogin_timout = \"3s\"\n", "my.toml");
  ASSERT_TRUE(layer.ok());
  EXPECT_EQ(assign(loaded, *layer).error().line,
            "my.toml:3: unknown key `limits.login_timout`; did you mean `limits.login_timeout`?");

  const auto broken = parse_config_text("[server]\nshards = = 2\n", "my.toml");
  ASSERT_FALSE(broken.ok());
  EXPECT_TRUE(broken.error().line.starts_with("my.toml:2: ")) << broken.error().line;
  EXPECT_FALSE(parse_config_text("shards = 2\n", "my.toml").ok());
  EXPECT_FALSE(parse_config_text("[server]\nshards = 2.5\n", "my.toml").ok());

  EXPECT_TRUE(contains(load_error(line_of({"--set", "limits.login_timeout=3"}), {}),
                       "it looks like 250ms"));
  EXPECT_TRUE(contains(load_error(line_of({"--shards", "many"}), {}), "flag --shards"));
  EXPECT_TRUE(contains(load_error(line_of({}), {"RINGTALK_SERVER_SHARD=2"}),
                       "did you mean RINGTALK_SERVER_SHARDS?"));
  EXPECT_TRUE(contains(line_error({"--shard"}), "did you mean --shards?"));
  EXPECT_TRUE(contains(line_error({"serve"}), "unknown argument serve"));
  EXPECT_TRUE(contains(line_error({"--set", "limits"}), "section.key=value"));
  EXPECT_TRUE(contains(line_error({"--shards"}), "--help"));
  EXPECT_TRUE(
      contains(load_error(line_of({"--config", "/nowhere/x.toml"}), {}), "/nowhere/x.toml"));
}

TEST(Config, WhatIsPrintedReadsBackTheSame) {
  LoadedConfig first = load(line_of({"--shards", "3", "--set", "limits.pinned_bytes=2MiB", "-d"}));
  const std::string text = print_config(first);
  EXPECT_TRUE(contains(text, "# flag --shards"));
  EXPECT_TRUE(contains(text, "# built-in"));
  const auto layer = parse_config_text(text, "printed");
  ASSERT_TRUE(layer.ok()) << layer.error().line;
  LoadedConfig second;
  // What was not set is printed as it is read: empty.
  std::vector<Assignment> set;
  for (const Assignment& each : *layer) {
    if (!each.texts.empty() && !each.texts[0].empty()) set.push_back(each);
  }
  ASSERT_TRUE(assign(second, set).ok());
  for (const ConfigKey& key : config_keys()) {
    EXPECT_EQ(key.get(first.config), key.get(second.config)) << key.name;
  }
}

TEST(Config, EveryDefaultIsAValueOfItsKeyAndEveryNameIsOne) {
  const Config defaults;
  for (const ConfigKey& key : config_keys()) {
    const auto texts = key.get(defaults);
    Config config;
    if (!texts.empty() && !texts[0].empty()) {
      EXPECT_TRUE(key.set(config, texts)) << key.name;
    }
    EXPECT_EQ(find_config_key(key.name), &key) << "named twice";
    EXPECT_EQ(std::count(key.name.begin(), key.name.end(), '.'), 1);
  }
}

TEST(Config, AReloadTakesTheSafePartAndNamesTheRest) {
  LoadedConfig current;
  const LoadedConfig fresh = load(line_of({"--shards", "3", "--set", "limits.login_timeout=4s"}));
  const std::vector<std::string> lines = take_reloadable(current, fresh);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0], "server.shards: 0 -> 3 waits for a restart");
  EXPECT_EQ(lines[1], "limits.login_timeout: 10s -> 4s");
  EXPECT_EQ(current.config.shards, 0u);
  EXPECT_EQ(current.config.limits.login_timeout_ms, 4'000u);
}

TEST(Config, CommandsHelpAndVersion) {
  EXPECT_EQ(line_of({}).command, Command::run);
  EXPECT_EQ(line_of({"run", "-p", "0"}).assignments.size(), 1u);
  const CommandLine migrate = line_of({"migrate", "--dry-run", "--store", "memory:"});
  EXPECT_EQ(migrate.command, Command::migrate);
  EXPECT_TRUE(migrate.dry_run);
  EXPECT_EQ(migrate.assignments.size(), 1u);
  EXPECT_TRUE(contains(line_of({"--help"}).print, "--max-connections"));
  EXPECT_EQ(line_of({"--version"}).print, "ringtalkd 1.2.3\n");
}

TEST(Capacity, ATenthIsLeftAndAReserveIsKept) {
  const auto table = [](uint32_t shards) { return 20'000 / shards; };
  Config config;
  const auto plan = plan_capacity(config, 2, table, 20'000);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->shards, 2u);
  EXPECT_EQ(plan->connections_max, 18'000u);
  EXPECT_EQ(plan->slots, 10'000u);
  config.max_connections = 1'000;
  config.shards = 1;
  const auto small = plan_capacity(config, 2, table, 20'000);
  ASSERT_TRUE(small.ok());
  EXPECT_EQ(small->connections_max, 1'000u);
  EXPECT_EQ(small->slots, 1'016u);
  config.max_connections = 19'000;
  const auto large = plan_capacity(config, 2, table, 20'000);
  ASSERT_FALSE(large.ok());
  EXPECT_TRUE(contains(large.error().line, "more --shards"));
}

// A room keeps a bit for each of 256 shards. With more, the first join of a client on shard 256
// ended the server by an assertion.
TEST(Capacity, NoMoreShardsThanARoomCanCount) {
  EXPECT_TRUE(contains(load_error(line_of({"--shards", "257"}), {}), "server.shards"));
  const auto table = [](uint32_t) { return 1'000U; };
  Config config;
  config.shards = 256;
  EXPECT_EQ(plan_capacity(config, 2, table, 20'000)->shards, 256u);
  config.shards = 0;
  EXPECT_EQ(plan_capacity(config, 384, table, 20'000)->shards, 256u);
}

TEST(Launch, PortsAndThousands) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1'234'567), "1,234,567");
  const std::string json = ports_json(*ring::Address::parse("[::1]:80"), "epoll", 2);
  EXPECT_TRUE(contains(json, "\"host\": \"::1\", \"port\": 80")) << json;
  Config config;
  config.listen = {"127.0.0.1:1", "[::1]:2"};
  config.port = "99";
  for (const ring::Address& at : listen_addresses(config)) EXPECT_EQ(at.port, 99);
}

}  // namespace
}  // namespace ringtalk::service
