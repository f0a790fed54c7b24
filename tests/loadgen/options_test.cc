#include "loadgen/options.h"

#include <gtest/gtest.h>

namespace ringtalk::loadgen {
namespace {

base::Result<Options, NoRun> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "loadgen");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

Exit exit_of(std::vector<const char*> arguments) {
  const auto parsed = parse(std::move(arguments));
  return parsed ? Exit::pass : parsed.error().exit;
}

TEST(Options, FlagsChangeThePresetAndSetsComeLast) {
  const auto parsed =
      parse({"run", "room", "--token-key", "k", "--connections", "50", "--duration", "250ms",
             "--set", "room.window=16", "--set", "connections=60", "--target",
             "127.0.0.1:1,[::1]:2", "--backend", "epoll", "--threads", "3"});
  ASSERT_TRUE(parsed.ok()) << parsed.error().text;
  EXPECT_EQ(parsed->scenario.connections, 60u);
  EXPECT_DOUBLE_EQ(parsed->scenario.duration_s, 0.25);
  EXPECT_EQ(parsed->scenario.room.window, 16u);
  ASSERT_EQ(parsed->targets.size(), 2u);
  EXPECT_EQ(parsed->targets[1].text(), "[::1]:2");
  EXPECT_EQ(parsed->backend, ring::Backend::epoll);
  EXPECT_EQ(parsed->threads, 3u);
}

TEST(Options, EachMistakeHasItsExitCode) {
  EXPECT_EQ(exit_of({}), Exit::usage);
  EXPECT_EQ(exit_of({"run"}), Exit::usage);
  EXPECT_EQ(exit_of({"run", "echo"}), Exit::usage) << "no token key";
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k", "--colour"}), Exit::usage);
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k", "--target", "host"}), Exit::usage);
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k", "--backend", "kqueue"}), Exit::usage);
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k", "--connections", "many"}), Exit::usage);
  EXPECT_EQ(exit_of({"run", "ecko", "--token-key", "k"}), Exit::bad_scenario);
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k", "--set", "echo.windw=2"}),
            Exit::bad_scenario);
  EXPECT_EQ(exit_of({"run", "idle", "--token-key", "k", "--rate", "5"}), Exit::bad_scenario);
  EXPECT_EQ(exit_of({"run", "echo", "--token-key", "k"}), Exit::pass);
  EXPECT_EQ(exit_of({"run", "/tmp", "--token-key", "k"}), Exit::bad_scenario) << "a directory";
  EXPECT_EQ(exit_of({"run", "/dev/zero", "--token-key", "k"}), Exit::bad_scenario) << "no end";
}

TEST(Options, AMistakeIsNamedWithWhatWasMeant) {
  const auto said = [](std::vector<const char*> arguments) {
    const auto parsed = parse(std::move(arguments));
    return parsed ? std::string() : parsed.error().text;
  };
  EXPECT_EQ(said({"run", "echo", "--token-key", "k", "--conections", "5"}),
            "loadgen: there is no flag --conections, did you mean --connections?; see loadgen run "
            "--help\n");
  EXPECT_EQ(said({"run", "echo", "--token-key", "k", "--colour"}),
            "loadgen: there is no flag --colour; see loadgen run --help\n");
  EXPECT_EQ(said({"compare", "echo"}),
            "loadgen: there is no command 'compare', only run; see loadgen --help\n");
  EXPECT_EQ(said({}), "loadgen: a command is needed: run; see loadgen --help\n");
  EXPECT_EQ(said({"run"}), "loadgen: scenario is required; see loadgen run --help\n");
  EXPECT_EQ(said({"run", "echo"}), "loadgen: --token-key is required; see loadgen run --help\n");
}

TEST(Options, HelpListsTheKeysAndTheExitCodes) {
  const auto parsed = parse({"run", "--help"});
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().exit, Exit::pass);
  EXPECT_NE(parsed.error().text.find("room.publishers"), std::string::npos);
  EXPECT_NE(parsed.error().text.find("105 interrupted"), std::string::npos);
  EXPECT_EQ(parse({"--version"}).error().exit, Exit::pass);
}

}  // namespace
}  // namespace ringtalk::loadgen
