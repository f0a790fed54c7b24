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
            "RING=ours is only what has our prefix"});
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
                       "it takes a duration from 10ms to 1d, as 250ms"));
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

// Values that are not the built-in ones, one for each key; some need quotes in TOML.
std::vector<const char*> other_values() {
  return {"server.listen=[::1]:1,127.0.0.1:2",
          "server.port=0080",
          "server.shards=3",
          "server.backend=epoll",
          "server.uring_mask=peer_name,multishot_accept",
          "server.max_connections=7",
          "server.share_port=true",
          "server.daemon=true",
          "server.ports_file=a \"file\" of\\ports\n",
          "server.stats_file=007",
          "store.data_dir=99999999999999999999",
          "store.url=memory:",
          "auth.token_key=# none",
          "auth.token_lifetime=61s",
          "auth.password_hashes=64",
          "auth.password_hashes_waiting=1",
          "cluster.relay=true",
          "log.level=debug",
          "heartbeat.interval_ms=10",
          "heartbeat.missed_limit=1",
          "drain.window=0",
          "drain.reconnect_jitter=1ms",
          "limits.prelogin_sockets=4294967295",
          "limits.prelogin_per_address=0",
          "limits.trusted_addresses=",
          "limits.login_timeout=1d",
          "limits.frame_timeout=3s",
          "limits.requests_in_flight=1",
          "limits.unacknowledged_bytes=64",
          "limits.outgoing_bytes=65537",
          "limits.outgoing_frames=1",
          "limits.pinned_bytes=2GiB",
          "limits.partial_frame_bytes=1MiB",
          "limits.rooms_per_session=1",
          "limits.sends_per_second=0",
          "limits.sends_burst=1",
          "limits.conversation_sends_per_second=0",
          "limits.discard_bytes=0",
          "limits.discard_time=2s",
          "limits.busy_retry=2s"};
}

void expect_to_read_back(const LoadedConfig& first) {
  const std::string text = print_config(first);
  const auto layer = parse_config_text(text, "printed");
  ASSERT_TRUE(layer.ok()) << layer.error().line << text;
  EXPECT_EQ(layer->size(), config_keys().size());
  LoadedConfig second;
  const auto done = assign(second, *layer);
  ASSERT_TRUE(done.ok()) << done.error().line;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_EQ(key.get(first.config), key.get(second.config)) << key.name;
  }
  EXPECT_EQ(second.origins.size(), config_keys().size());
}

// Empty texts were printed and then refused.
TEST(Config, WhatIsPrintedReadsBackTheSame) {
  const LoadedConfig defaults;
  expect_to_read_back(defaults);

  std::vector<const char*> arguments;
  for (const char* each : other_values()) {
    arguments.push_back("--set");
    arguments.push_back(each);
  }
  LoadedConfig set = load(line_of(arguments));
  for (const ConfigKey& key : config_keys()) {
    EXPECT_NE(key.get(set.config), key.get(defaults.config)) << key.name << ": not tried here";
  }
  set.origins["server.shards"] = "a file\nof two lines:1";
  expect_to_read_back(set);

  const std::string text = print_config(load(line_of({"--shards", "3"})));
  EXPECT_TRUE(contains(text, "# flag --shards"));
  EXPECT_TRUE(contains(text, "# built-in"));
}

TEST(Config, EveryDefaultIsAValueOfItsKeyAndEveryNameIsOne) {
  const Config defaults;
  for (const ConfigKey& key : config_keys()) {
    Config config;
    EXPECT_TRUE(key.set(config, key.get(defaults))) << key.name;
    EXPECT_NE(key.takes, "") << key.name;
    EXPECT_EQ(find_config_key(key.name), &key) << "named twice";
    EXPECT_EQ(std::count(key.name.begin(), key.name.end(), '.'), 1);
  }
}

std::string set_error(const char* setting) {
  return load_error(line_of({"--set", setting}), {});
}

TEST(Config, ARefusedValueIsAnsweredWithWhatIsTaken) {
  EXPECT_TRUE(contains(load_error(line_of({"-p", "70000"}), {}), "from 0 to 65535"));
  EXPECT_TRUE(contains(load_error(line_of({"--shards", "1000"}), {}), "from 0 to 256"));
  EXPECT_TRUE(contains(set_error("auth.password_hashes=0"), "a whole number from 1 to 64"));
  for (const char* bad : {"0", "99GiB", "8192", "16KiB", "64KB", ""}) {
    const std::string error = set_error((std::string("limits.outgoing_bytes=") + bad).c_str());
    EXPECT_TRUE(contains(error, "a size from 64KiB (one frame may have as much) to 2GiB")) << error;
  }
  EXPECT_EQ(load(line_of({"--set", "limits.outgoing_bytes=65536"})).config.limits.outgoing_bytes,
            65'536u);
  EXPECT_EQ(load(line_of({"--set", "limits.discard_bytes=8192"})).config.limits.discard_bytes,
            8'192u);
  EXPECT_TRUE(contains(set_error("server.listen="), "one or more addresses"));
  EXPECT_TRUE(contains(parse_config_text("[server]\nshards = 2.5\n", "my.toml").error().line,
                       "my.toml:2: server.shards takes a whole number from 0 to 256"));
}

TEST(Config, AFileThatCannotBeReadIsAnErrorAndNoEmptyOne) {
  for (const char* path : {"/", "/proc/self/mem", "/dev/zero", "/dev/null/x"}) {
    EXPECT_TRUE(load_error(line_of({"--config", path}), {}).starts_with(std::string(path) + ": "))
        << path;
  }
  EXPECT_TRUE(contains(line_error({"--config", ""}), "names no file"));
}

TEST(Config, AVariableWithOurPrefixIsAKeyOrKnownOrAnError) {
  EXPECT_TRUE(contains(load_error(line_of({}), {"RINGTALK_SERVR_PORT=2"}),
                       "RINGTALK_SERVR_PORT: no such key; did you mean RINGTALK_SERVER_PORT?"));
  EXPECT_TRUE(contains(load_error(line_of({}), {"RINGTALK_LOGLEVEL=info"}),
                       "did you mean RINGTALK_LOG_LEVEL?"));
  EXPECT_NE(load_error(line_of({}), {"RINGTALK_PORT=7380"}), "");
  EXPECT_NE(load_error(line_of({}), {"RINGTALK_="}), "");
  // Of the tests, of the store, and of container managers for a service of this name.
  EXPECT_EQ(load_error(line_of({}), {"RINGTALK_SEED=1", "RINGTALK_SIM_SEEDS=2", "RINGTALK_BUILD=x",
                                     "RINGTALK_CORPUS=y", "RINGTALK_STORE_PASSWORD=z",
                                     "RINGTALK_SERVICE_HOST=10.0.0.1", "RINGTALK_SERVICE_PORT=7380",
                                     "RINGTALK_PORT=tcp://10.0.0.1:7380",
                                     "RINGTALK_PORT_7380_TCP_ADDR=10.0.0.1"}),
            "");
  EXPECT_TRUE(load(line_of({}), {"RINGTALK_LIMITS_TRUSTED_ADDRESSES="})
                  .config.limits.trusted_addresses.empty());
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
  EXPECT_TRUE(contains(large.error().line, "--max-connections 19,000 is beyond the 18,000"));
  EXPECT_TRUE(contains(large.error().line, "more --shards"));
  // Nobody gave a number of connections here.
  config.max_connections = 0;
  const auto none = plan_capacity(
      config, 2, [](uint32_t) { return 1U; }, 40);
  ASSERT_FALSE(none.ok());
  EXPECT_TRUE(none.error().line.starts_with("ulimit -n 40 leaves room for 1 "))
      << none.error().line;
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
