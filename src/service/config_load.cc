#include "service/config_load.h"

#include <algorithm>
#include <cstring>

#include "service/config_text.h"

namespace ringtalk::service {
namespace {

std::string section_of(const std::string& key) {
  return key.substr(0, key.find('.'));
}

std::string joined(const std::vector<std::string>& texts) {
  std::string result;
  for (const std::string& text : texts) result += (result.empty() ? "" : ", ") + text;
  return result;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

// A basic string of TOML.
std::string quoted(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result = "\"";
  for (const char c : text) {
    if (is_control(c)) {
      result += "\\u00";
      result += kDigits[c >> 4];
      result += kDigits[c & 15];
      continue;
    }
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

// What may stand in a comment of TOML and on a line.
std::string in_comment(std::string text) {
  std::replace_if(text.begin(), text.end(), is_control, '?');
  return text;
}

// As TOML writes a number: not empty, no zero in front, and within its 64 bits.
bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos &&
         (text[0] != '0' || text.size() == 1) && text.size() < 19;
}

// Variables that begin with our prefix and are no keys: those of the tests, the store's password,
// and what container managers set for a service that is called ringtalk.
bool is_of_others(const std::string& name, const std::string& value) {
  for (const char* known : {"RINGTALK_SEED", "RINGTALK_SIM_SEEDS", "RINGTALK_BUILD",
                            "RINGTALK_CORPUS", "RINGTALK_STORE_PASSWORD"}) {
    if (name == known) return true;
  }
  return name == "RINGTALK_SERVICE_HOST" || name.starts_with("RINGTALK_SERVICE_PORT") ||
         name.starts_with("RINGTALK_PORT_") ||
         (name == "RINGTALK_PORT" && value.find("://") != std::string::npos);
}

std::string toml_value(const ConfigKey& key, const Config& config) {
  const std::vector<std::string> texts = key.get(config);
  if (key.is_list) {
    std::string result = "[";
    for (const std::string& text : texts) {
      result += (result.size() > 1 ? ", " : "") + quoted(text);
    }
    return result + "]";
  }
  return key.is_switch || is_number(texts[0]) ? texts[0] : quoted(texts[0]);
}

}  // namespace

base::Status<ConfigError> assign(LoadedConfig& loaded, const std::vector<Assignment>& layer) {
  for (const Assignment& each : layer) {
    const ConfigKey* key = find_config_key(each.key);
    if (key == nullptr) {
      return base::Failure{ConfigError{each.origin + ": unknown key `" + each.key +
                                       "`; did you mean `" + nearest_config_key(each.key) + "`?"}};
    }
    if ((!key->is_list && each.texts.size() != 1) || !key->set(loaded.config, each.texts)) {
      return base::Failure{ConfigError{each.origin + ": `" + joined(each.texts) +
                                       "` is no value for " + each.key + " (" + key->meaning +
                                       "); it takes " + key->takes}};
    }
    loaded.origins[each.key] = each.origin;
  }
  return base::Done{};
}

base::Result<std::vector<Assignment>, ConfigError> read_environment(char** environment) {
  constexpr const char* kPrefix = "RINGTALK_";
  std::vector<Assignment> layer;
  for (char** entry = environment; *entry != nullptr; entry++) {
    const char* equals = std::strchr(*entry, '=');
    if (equals == nullptr) continue;
    const std::string name(*entry, static_cast<size_t>(equals - *entry));
    const std::string value = equals + 1;
    if (!name.starts_with(kPrefix)) continue;
    const std::string origin = "environment " + name;
    const auto& keys = config_keys();
    const auto found = std::find_if(
        keys.begin(), keys.end(), [&](const auto& key) { return key.environment_name() == name; });
    if (found == keys.end()) {
      if (is_of_others(name, value)) continue;
      const auto nearest = std::min_element(keys.begin(), keys.end(), [&](auto& a, auto& b) {
        return edit_distance(a.environment_name(), name) <
               edit_distance(b.environment_name(), name);
      });
      return base::Failure{ConfigError{origin + ": no such key; did you mean " +
                                       nearest->environment_name() + "? (else run: unset " + name +
                                       ")"}};
    }
    layer.push_back({found->name,
                     found->is_list ? split_list(value) : std::vector<std::string>{value}, origin});
  }
  return layer;
}

base::Result<LoadedConfig, ConfigError> load_config(const CommandLine& line, char** environment) {
  LoadedConfig loaded;
  if (!line.file.empty()) {
    const auto layer = read_config_file(line.file);
    if (!layer) return base::Failure{layer.error()};
    const auto done = assign(loaded, *layer);
    if (!done) return base::Failure{done.error()};
  }
  const auto layer = read_environment(environment);
  if (!layer) return base::Failure{layer.error()};
  auto done = assign(loaded, *layer);
  if (!done) return base::Failure{done.error()};
  done = assign(loaded, line.assignments);
  if (!done) return base::Failure{done.error()};
  return loaded;
}

std::string print_config(const LoadedConfig& loaded) {
  // Sections in the order in which the table first names them.
  std::vector<std::string> sections;
  for (const ConfigKey& key : config_keys()) {
    const std::string section = section_of(key.name);
    if (std::find(sections.begin(), sections.end(), section) == sections.end()) {
      sections.push_back(section);
    }
  }
  std::string text;
  for (const std::string& section : sections) {
    text += (text.empty() ? "[" : "\n[") + section + "]\n";
    for (const ConfigKey& key : config_keys()) {
      if (section_of(key.name) != section) continue;
      std::string line =
          key.name.substr(section.size() + 1) + " = " + toml_value(key, loaded.config);
      if (line.size() < 44) line.resize(44, ' ');
      const auto origin = loaded.origins.find(key.name);
      text += line + "  # " +
              (origin == loaded.origins.end() ? "built-in" : in_comment(origin->second)) + "\n";
    }
  }
  return text;
}

std::vector<std::string> take_reloadable(LoadedConfig& current, const LoadedConfig& fresh) {
  std::vector<std::string> lines;
  for (const ConfigKey& key : config_keys()) {
    const auto before = key.get(current.config);
    const auto after = key.get(fresh.config);
    if (before == after) continue;
    std::string line = key.name + ": " + joined(before) + " -> " + joined(after);
    if (key.reloadable) {
      key.set(current.config, after);
      current.origins[key.name] =
          fresh.origins.contains(key.name) ? fresh.origins.at(key.name) : std::string("built-in");
    } else {
      line += " waits for a restart";
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace ringtalk::service
