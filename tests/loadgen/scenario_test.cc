#include "loadgen/scenario.h"

#include <gtest/gtest.h>

namespace ringtalk::loadgen {
namespace {

std::string error_of(std::string_view text) {
  const auto parsed = parse_scenario("test", text, "test.toml");
  return parsed ? "" : parsed.error().text;
}

TEST(Scenario, EveryPresetIsSound) {
  for (const std::string_view name : preset_names()) {
    SCOPED_TRACE(name);
    const auto parsed = parse_scenario(name, *preset(name), "preset");
    ASSERT_TRUE(parsed.ok()) << parsed.error().text;
    EXPECT_TRUE(check(*parsed).ok());
    EXPECT_EQ(parsed->name, name);
  }
  EXPECT_FALSE(preset("nothing").has_value());
}

TEST(Scenario, ReadsSectionsNumbersAndUnitsOfTime) {
  const auto parsed = parse_scenario("test",
                                     "connections = 12\nrate = 2.5\nduration = '250ms'\n"
                                     "arrival.kind = 'poisson'\n[mix]\ndirect = 2\nroom = 1\n"
                                     "[room]\nmembers = 4\nwindow = 128\n",
                                     "test.toml");
  ASSERT_TRUE(parsed.ok()) << parsed.error().text;
  EXPECT_EQ(parsed->connections, 12u);
  EXPECT_DOUBLE_EQ(parsed->rate, 2.5);
  EXPECT_DOUBLE_EQ(parsed->duration_s, 0.25);
  EXPECT_EQ(parsed->arrival_in_force(), Arrival::poisson);
  EXPECT_DOUBLE_EQ(parsed->mix.direct, 2);
  EXPECT_EQ(parsed->room.window, 128u);
  EXPECT_EQ(parsed->rooms(), 3u);
}

TEST(Scenario, AnErrorNamesFileLineAndNearestKey) {
  EXPECT_EQ(error_of("connections = 1\n[room]\nmember = 3\n"),
            "test.toml:3: unknown key 'room.member', did you mean 'room.members'?");
  EXPECT_EQ(error_of("zzzzzzzzzzz = 1\n"), "test.toml:1: unknown key 'zzzzzzzzzzz'");
  EXPECT_EQ(error_of("\nconnections = 0\n"),
            "test.toml:2: 'connections' cannot be '0': it is a whole number, 1 to 10000000");
  EXPECT_EQ(error_of("connections = -1\n").substr(0, 12), "test.toml:1:");
  EXPECT_EQ(error_of("connections = [1]\n"),
            "test.toml:1: 'connections' must be a number or a text");
  EXPECT_EQ(error_of("connections = \n").substr(0, 12), "test.toml:1:");
  EXPECT_NE(error_of("[a.b]\nc = 1\n"), "");
}

TEST(Scenario, AnOpenLoopFollowsFromARate) {
  Scenario scenario;
  EXPECT_FALSE(scenario.open_loop());
  EXPECT_TRUE(set_key(scenario, "rate", "100").ok());
  EXPECT_EQ(scenario.arrival_in_force(), Arrival::constant);
  EXPECT_FALSE(check(scenario).ok()) << "a rate of nothing";
  EXPECT_TRUE(set_key(scenario, "mix.echo", "1").ok());
  EXPECT_TRUE(check(scenario).ok());
  EXPECT_TRUE(set_key(scenario, "arrival.kind", "closed").ok());
  EXPECT_FALSE(check(scenario).ok()) << "a rate in a closed loop";
  EXPECT_FALSE(set_key(scenario, "arrival.kind", "often").ok());
}

TEST(Scenario, RefusesWhatCannotBe) {
  Scenario scenario;
  scenario.mix.direct = 1;
  scenario.connections = 1;
  EXPECT_FALSE(check(scenario).ok());
  scenario.connections = 10;
  EXPECT_TRUE(check(scenario).ok());
  scenario.mix.room = 1;
  scenario.room.members = 2;
  scenario.room.publishers = 3;
  EXPECT_FALSE(check(scenario).ok());
}

TEST(Scenario, TheHashFollowsTheKeys) {
  Scenario one, other;
  EXPECT_EQ(hash(one), hash(other));
  other.text = "# a comment";
  EXPECT_EQ(hash(one), hash(other));
  other.seed = 2;
  EXPECT_NE(hash(one), hash(other));
}

}  // namespace
}  // namespace ringtalk::loadgen
