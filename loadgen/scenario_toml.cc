// The TOML of a scenario, cut into keys and values; toml++ stays in this file.
#include <toml++/toml.h>

#include "loadgen/scenario.h"

namespace ringtalk::loadgen {
namespace {

std::string place_of(std::string_view place, const toml::source_region& source) {
  return std::string(place) + ":" + std::to_string(source.begin.line) + ": ";
}

// Text as --set would be given it; nothing for what no key accepts (arrays, dates, booleans).
std::optional<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return std::to_string(whole->get());
  if (const auto* real = node.as_floating_point()) {
    char text[64];
    std::snprintf(text, sizeof text, "%.17g", real->get());
    return std::string(text);
  }
  return std::nullopt;
}

base::Status<ScenarioError> read_table(Scenario& scenario, const toml::table& table,
                                       const std::string& prefix, std::string_view place) {
  for (const auto& [key, node] : table) {
    const std::string name = prefix + std::string(key.str());
    if (const toml::table* inner = node.as_table()) {
      if (!prefix.empty()) {
        return base::Failure{
            ScenarioError{place_of(place, node.source()) + "unknown section '" + name + "'"}};
      }
      auto done = read_table(scenario, *inner, name + ".", place);
      if (!done) return done;
      continue;
    }
    const std::optional<std::string> value = text_of(node);
    auto done = value ? set_key(scenario, name, *value)
                      : base::Status<ScenarioError>(base::Failure{
                            ScenarioError{"'" + name + "' must be a number or a text"}});
    if (!done) {
      return base::Failure{ScenarioError{place_of(place, key.source()) + done.error().text}};
    }
  }
  return base::Done{};
}

}  // namespace

base::Result<Scenario, ScenarioError> parse_scenario(std::string_view name, std::string_view text,
                                                     std::string_view place) {
  Scenario scenario;
  scenario.name = name;
  scenario.text = text;
  try {
    const auto done = read_table(scenario, toml::parse(text), "", place);
    if (!done) return base::Failure{done.error()};
  } catch (const toml::parse_error& error) {
    return base::Failure{
        ScenarioError{place_of(place, error.source()) + std::string(error.description())}};
  }
  return scenario;
}

}  // namespace ringtalk::loadgen
